// Cookies that script sets and reads: they go to the server of the page, too,
// which has no use for them (BBA-59).
const attributes = "; Path=/; SameSite=Strict; Secure";
const names = ["access_token", "refresh_token", "id_token", "expires"];

export const keeper = () => ({
  save: async (tokens) => {
    for (const name of names) document.cookie = name + "=" + encodeURIComponent(tokens[name]) + attributes;
  },
  load: async () => {
    const pairs = document.cookie.split("; ").map((pair) => pair.split("="));
    const tokens = Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value ?? "")]));
    return tokens.access_token ? {...tokens, expires: Number(tokens.expires)} : null;
  },
  forget: async () => {
    for (const name of names) document.cookie = name + "=; Max-Age=0" + attributes;
  },
});
