// An application that is a public client itself and holds its tokens: where,
// and what it proves with them if more than that it has them, keep.js says.
import * as keep from "/keep.js";
import {oauth} from "/oauth.js";

const {question, answer, signedIn, call, end} = oauth(keep.keeper(), {
  save: async (flow) => sessionStorage.setItem("flow", JSON.stringify(flow)),
  take: async () => {
    const flow = sessionStorage.getItem("flow");
    sessionStorage.removeItem("flow");
    return JSON.parse(flow);
  },
}, keep.prove);

export {call, end};

export async function begin() {
  location.assign(await question());
}

// restore takes the provider's answer, if there is one, and reports whether
// somebody is signed in.
export async function restore() {
  const query = location.search;
  if (new URLSearchParams(query).has("state")) {
    history.replaceState(null, "", "/");
    await answer(query);
  }
  return signedIn();
}
