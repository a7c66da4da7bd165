// A service worker that signs in, and puts the token on what goes to the API. It keeps tokens in its memory alone, since
// every store it has is the page's too (BBA-60): when the browser stops it, they are gone, and nobody is signed in.
import {api} from "/config.js";
import {answers} from "/ask.js";
import {oauth} from "/oauth.js";
import {store} from "/store.js";

let kept = null;
const {question, answer, signedIn, headers, end} = oauth({
  save: async (tokens) => { kept = tokens; },
  load: async () => kept,
  forget: async () => { kept = null; },
}, store("flow")); // the verifier outlives a stop: a person at the provider may take their time

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

const serve = answers({signedIn, end, claim: () => clients.claim()});
addEventListener("message", (event) => event.waitUntil(serve(event)));

addEventListener("fetch", (event) => {
  const {request} = event;
  const {origin, pathname, search} = new URL(request.url);
  const visit = request.mode === "navigate" && origin === location.origin;
  if (origin === api) event.respondWith(forward(request));
  else if (visit && pathname === "/sign-in") event.respondWith(leave());
  else if (visit && new URLSearchParams(search).has("state")) event.respondWith(arrive(search));
});

const leave = async () => Response.redirect(await question());

// arrive takes the provider's answer before any page, in whatever frame, can see its address.
async function arrive(query) {
  try {
    await answer(query);
    return Response.redirect("/");
  } catch (problem) {
    return Response.redirect("/?" + new URLSearchParams({problem}));
  }
}

async function forward(request) {
  const proof = await headers(request.method, request.url);
  if (!proof) return new Response(null, {status: 401});
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : await request.arrayBuffer();
  return fetch(new Request(request.url, {
    method: request.method, body, credentials: "omit", headers: {...Object.fromEntries(request.headers), ...proof},
  }));
}
