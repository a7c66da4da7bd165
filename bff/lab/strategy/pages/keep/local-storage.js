// localStorage: every script of the origin reads it, in every tab, for ever.
export const keeper = () => ({
  save: async (tokens) => localStorage.setItem("tokens", JSON.stringify(tokens)),
  load: async () => JSON.parse(localStorage.getItem("tokens")),
  forget: async () => localStorage.removeItem("tokens"),
});
