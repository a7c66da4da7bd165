// sessionStorage: every script of the origin reads it, in this tab.
export const keeper = () => ({
  save: async (tokens) => sessionStorage.setItem("tokens", JSON.stringify(tokens)),
  load: async () => JSON.parse(sessionStorage.getItem("tokens")),
  forget: async () => sessionStorage.removeItem("tokens"),
});
