// A global variable: gone when the page is left, open to all until then.
globalThis.session = {tokens: null};

export const keeper = () => ({
  save: async (tokens) => { globalThis.session.tokens = tokens; },
  load: async () => globalThis.session.tokens,
  forget: async () => { globalThis.session.tokens = null; },
});
