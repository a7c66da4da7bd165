// An application that is a public client itself and holds its tokens: where,
// keep.js says.
import {keeper} from "/keep.js";
import {oauth} from "/oauth.js";

const {question, answer, signedIn, call, end} = oauth(keeper(), {
  save: async (flow) => sessionStorage.setItem("flow", JSON.stringify(flow)),
  take: async () => {
    const flow = sessionStorage.getItem("flow");
    sessionStorage.removeItem("flow");
    return JSON.parse(flow);
  },
});

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
