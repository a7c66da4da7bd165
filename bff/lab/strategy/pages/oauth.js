// A public client of the provider, wherever its script runs: the code grant with PKCE, a refresh token that is rotated
// and, in the end, revoked. Where tokens are kept is keep's business, where a sign-in is that is under way, flows'.
import {issuer, client, api, scope, redirect} from "/config.js";

export const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
export const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

// bearer are the headers that show a token; without one, those of a token request.
const bearer = async (method, address, token) => token ? {Authorization: "Bearer " + token} : {};

export function oauth(keep, flows, prove = bearer) {
  const post = async (path, form) => {
    const headers = await prove("POST", issuer + path);
    return fetch(issuer + path, {method: "POST", headers, body: new URLSearchParams({client_id: client, ...form})});
  };

  async function take(response) {
    const {access_token, refresh_token, id_token, expires_in} = await response.json();
    await keep.save({access_token, refresh_token, id_token, expires: Date.now() + expires_in * 1000});
  }

  // question begins a sign-in and returns the address where it goes on.
  async function question() {
    const flow = {verifier: random(), state: random()};
    await flows.save(flow);
    return issuer + "/authorize?" + new URLSearchParams({
      response_type: "code", client_id: client, redirect_uri: redirect, scope, state: flow.state,
      code_challenge: base64url(await digest(flow.verifier)), code_challenge_method: "S256",
    });
  }

  // answer takes what the provider sent back, as the query of the redirect URI. BBA-46: an answer to a question that was
  // not asked here is refused.
  async function answer(query) {
    const said = new URLSearchParams(query), flow = await flows.take();
    if (!flow || said.get("state") !== flow.state || said.get("iss") !== issuer) throw new Error("this sign-in was not begun here");
    if (!said.has("code")) throw new Error("the provider said " + said.get("error"));
    const response = await post("/oauth/token", {grant_type: "authorization_code", code: said.get("code"), redirect_uri: redirect, code_verifier: flow.verifier});
    if (!response.ok) throw new Error("the token endpoint answered " + response.status);
    await take(response);
  }

  // current are tokens that are still good, or null. The lock is of all tabs and workers of the origin: two that renew with
  // the same refresh token would end its family (BBA-48).
  const current = () => navigator.locks.request("tokens", async () => {
    const tokens = await keep.load();
    if (!tokens || tokens.expires > Date.now()) return tokens;
    const response = await post("/oauth/token", {grant_type: "refresh_token", refresh_token: tokens.refresh_token});
    if (response.ok) await take(response);
    else if (response.status === 400) await keep.forget(); // it is dead
    else throw new Error("the token endpoint answered " + response.status);
    return keep.load();
  });

  // headers are those a call to the API needs; null if nobody is signed in.
  async function headers(method, address) {
    const tokens = await current();
    return tokens && prove(method, address, tokens.access_token);
  }

  // call takes paths of the API alone: whoever asks a worker must not have it send the token elsewhere.
  async function call(method, path, body) {
    const {origin, href} = new URL(api + path);
    if (origin !== api) throw new Error("that is not the API");
    const proof = await headers(method, href);
    if (!proof) return new Response(null, {status: 401});
    if (!body) return fetch(href, {method, headers: proof});
    return fetch(href, {method, headers: {...proof, "Content-Type": "application/json"}, body: JSON.stringify(body)});
  }

  // end forgets the tokens first, whatever the provider answers then. With the refresh token its family ends (RFC 7009 §2.1).
  const end = () => navigator.locks.request("tokens", async () => {
    const tokens = await keep.load();
    await keep.forget();
    if (!tokens) return;
    const response = await post("/revoke", {token: tokens.refresh_token, token_type_hint: "refresh_token"});
    if (!response.ok) throw new Error("the revocation endpoint answered " + response.status);
  });

  return {question, answer, headers, call, end, signedIn: async () => await keep.load() !== null};
}
