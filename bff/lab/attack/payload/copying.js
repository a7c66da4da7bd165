// Copies all there is, at one moment: the stores, and what the application's own
// functions have told since the page was loaded.
const {seen, call} = globalThis.stolen ?? {};
const made = seen && await call();
await report({...seen, ...await readStores()}, made ? "" : "the poison is not in the page, or the application made no call");
