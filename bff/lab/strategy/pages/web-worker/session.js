// An application whose tokens are in a worker, which does all that needs one.
// The page passes on what the user wants and what the provider answered.
import {ask} from "/ask.js";

const worker = new Worker("/worker.js", {type: "module"});

export async function begin() {
  location.assign(await ask(worker, "question"));
}

export async function restore() {
  const query = location.search;
  if (new URLSearchParams(query).has("state")) {
    history.replaceState(null, "", "/");
    await ask(worker, "answer", query);
  }
  return ask(worker, "signedIn");
}

export async function call(method, path, body) {
  const {status, text} = await ask(worker, "call", method, path, body);
  return new Response(text || null, {status});
}

export const end = () => ask(worker, "end");
