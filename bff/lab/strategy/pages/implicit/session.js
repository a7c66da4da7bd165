// An application that uses the implicit grant: the provider puts the access token into the address it sends the browser
// to, where histories, extensions and other scripts find it (BBA-57). That the page clears its address is too late for
// some. There is no refresh token: with the token ends the session.
import {issuer, client, api, scope, redirect} from "/config.js";

let kept = null;

export async function begin() {
  const state = crypto.randomUUID();
  sessionStorage.setItem("state", state);
  location.assign(issuer + "/authorize?" + new URLSearchParams({
    response_type: "token", client_id: client, redirect_uri: redirect, scope, state,
  }));
}

export async function restore() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (said.has("state")) {
    const state = sessionStorage.getItem("state");
    sessionStorage.removeItem("state");
    history.replaceState(null, "", "/");
    if (said.get("state") !== state || said.get("iss") !== issuer) throw new Error("this sign-in was not begun here");
    if (!said.has("access_token")) throw new Error("the provider said " + said.get("error"));
    kept = said.get("access_token");
  }
  return kept !== null;
}

export async function call(method, path, body) {
  if (!kept) return new Response(null, {status: 401});
  const headers = {Authorization: "Bearer " + kept};
  if (!body) return fetch(api + path, {method, headers});
  return fetch(api + path, {method, headers: {...headers, "Content-Type": "application/json"}, body: JSON.stringify(body)});
}

export async function end() {
  const token = kept;
  kept = null;
  if (!token) return;
  const body = new URLSearchParams({client_id: client, token, token_type_hint: "access_token"});
  const response = await fetch(issuer + "/revoke", {method: "POST", body});
  if (!response.ok) throw new Error("the revocation endpoint answered " + response.status);
}
