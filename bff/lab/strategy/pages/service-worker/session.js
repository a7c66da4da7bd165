// An application whose service worker stands between it and the API. The page
// calls as if there were no tokens, and never sees a code.
import {api} from "/config.js";
import {ask} from "/ask.js";

const container = navigator.serviceWorker;
container.register("/sw.js", {type: "module"});

// guard is the worker, once it stands before this page.
async function guard() {
  const {active} = await container.ready;
  if (!container.controller) {
    const controlled = new Promise((resolve) => container.addEventListener("controllerchange", resolve, {once: true}));
    await ask(active, "claim");
    await controlled;
  }
  return container.controller;
}

// A browser stops a service worker that is not asked for half a minute, and the tokens end with it.
setInterval(async () => ask(await guard(), "signedIn"), 20_000);

export async function begin() {
  await guard();
  location.assign("/sign-in");
}

export async function restore() {
  const worker = await guard();
  const problem = new URLSearchParams(location.search).get("problem");
  if (problem) {
    history.replaceState(null, "", "/");
    throw new Error(problem);
  }
  return ask(worker, "signedIn");
}

export async function call(method, path, body) {
  await guard();
  if (!body) return fetch(api + path, {method});
  return fetch(api + path, {method, headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
}

export const end = async () => ask(await guard(), "end");
