// A dedicated worker: its memory is closed to the page, and ends with it. So it does the whole sign-in, the verifier too,
// which has to outlive the visit to the provider: no worker does, and for that while it lies where the page could read it.
import {answers} from "/ask.js";
import {oauth} from "/oauth.js";
import {store} from "/store.js";

let kept = null;
const {question, answer, signedIn, call, end} = oauth({
  save: async (tokens) => { kept = tokens; },
  load: async () => kept,
  forget: async () => { kept = null; },
}, store("flow"));

onmessage = answers({
  question, answer, signedIn, end,
  call: async (method, path, body) => {
    const response = await call(method, path, body);
    return {status: response.status, text: await response.text()};
  },
});
