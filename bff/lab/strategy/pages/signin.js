// An application that is a public client: code and PKCE (RFC 7636), and a
// refresh token that is rotated. Where tokens are kept is keep.js's business.
import {keeper} from "/keep.js";

const keep = keeper();
const {issuer, client, api, scope} = document.documentElement.dataset;
const redirect = location.origin + "/";

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

export async function begin() {
  const flow = {verifier: random(), state: random()};
  sessionStorage.setItem("flow", JSON.stringify(flow));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier)));
  location.assign(issuer + "/authorize?" + new URLSearchParams({
    response_type: "code", client_id: client, redirect_uri: redirect, scope, state: flow.state,
    code_challenge: challenge, code_challenge_method: "S256",
  }));
}

// restore takes the provider's answer, if there is one, and reports whether
// somebody is signed in.
export async function restore() {
  const answer = new URLSearchParams(location.search);
  if (answer.has("state")) {
    const flow = JSON.parse(sessionStorage.getItem("flow") ?? "{}");
    sessionStorage.removeItem("flow");
    history.replaceState(null, "", "/");
    // BBA-46: an answer to a question that this tab did not ask is refused.
    if (!flow.state || answer.get("state") !== flow.state || answer.get("iss") !== issuer) throw new Error("this sign-in was not begun here");
    if (!answer.has("code")) throw new Error("the provider said " + answer.get("error"));
    await take({grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirect, code_verifier: flow.verifier});
  }
  return await keep.load() !== null;
}

async function take(form) {
  const response = await fetch(issuer + "/oauth/token", {method: "POST", body: new URLSearchParams({client_id: client, ...form})});
  if (!response.ok) throw new Error("the token endpoint answered " + response.status);
  const {access_token, refresh_token, id_token, expires_in} = await response.json();
  await keep.save({access_token, refresh_token, id_token, expires: Date.now() + expires_in * 1000});
}

export async function call(method, path, body) {
  if ((await keep.load()).expires <= Date.now()) {
    await take({grant_type: "refresh_token", refresh_token: (await keep.load()).refresh_token});
  }
  const headers = {Authorization: "Bearer " + (await keep.load()).access_token};
  if (!body) return fetch(api + path, {method, headers});
  return fetch(api + path, {method, headers: {...headers, "Content-Type": "application/json"}, body: JSON.stringify(body)});
}
