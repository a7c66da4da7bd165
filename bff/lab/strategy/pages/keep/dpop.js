// Tokens in IndexedDB, bound to a key there that no script can read, and every script of the origin can use (RFC 9449).
import {base64url, digest, random} from "/oauth.js";
import {store} from "/store.js";

const keys = store("key");

// key is the one of this browser, made when it is first needed. Two tabs make one.
const key = () => navigator.locks.request("key", async () => {
  const kept = await keys.load();
  if (kept) return kept;
  const made = await crypto.subtle.generateKey({name: "ECDSA", namedCurve: "P-256"}, false, ["sign"]);
  await keys.save(made);
  return made;
});

const encode = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));

export const keeper = () => store("tokens");

// prove signs each request: its method, its address and, with a token, that.
export async function prove(method, address, token) {
  const {privateKey, publicKey} = await key();
  const {kty, crv, x, y} = await crypto.subtle.exportKey("jwk", publicKey);
  const {origin, pathname} = new URL(address);
  const claims = {jti: random(), htm: method, htu: origin + pathname, iat: Math.floor(Date.now() / 1000)};
  if (token) claims.ath = base64url(await digest(token));
  const signed = encode({typ: "dpop+jwt", alg: "ES256", jwk: {kty, crv, x, y}}) + "." + encode(claims);
  const signature = await crypto.subtle.sign({name: "ECDSA", hash: "SHA-256"}, privateKey, new TextEncoder().encode(signed));
  const headers = {DPoP: signed + "." + base64url(signature)};
  return token ? {...headers, Authorization: "DPoP " + token} : headers;
}
