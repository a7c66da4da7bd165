// An application with a token-mediating backend: that signs in and keeps the refresh token. What the page calls the API
// with, it asks for: one access token at a time, for no more than it needs, and kept in a variable (BBA-42).
import {api} from "/config.js";

const headers = {"X-CSRF": "1"};
let kept = null;

const post = (path, form) => fetch(path, {method: "POST", headers, body: new URLSearchParams(form)});

export async function begin() {
  location.assign("/sign-in");
}

export async function restore() {
  const response = await fetch("/session", {headers});
  if (!response.ok && response.status !== 401) throw new Error("/session answered " + response.status);
  return response.ok;
}

export async function call(method, path, body) {
  if (!kept || kept.expires <= Date.now()) {
    const response = await post("/token", {scope: "orders", resource: api});
    if (!response.ok) return response;
    const {access_token, expires_in} = await response.json();
    kept = {token: access_token, expires: Date.now() + expires_in * 1000};
  }
  const authorization = {Authorization: "Bearer " + kept.token};
  if (!body) return fetch(api + path, {method, headers: authorization});
  return fetch(api + path, {method, headers: {...authorization, "Content-Type": "application/json"}, body: JSON.stringify(body)});
}

export async function end() {
  kept = null;
  const response = await post("/sign-out", {});
  if (!response.ok && response.status !== 401) throw new Error("/sign-out answered " + response.status);
}
