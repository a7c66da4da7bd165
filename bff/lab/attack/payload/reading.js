// Reads every store that a script can reach.
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const readStores = async () => {
  const places = {"document.cookie": document.cookie};
  places.localStorage = JSON.stringify({...localStorage});
  places.sessionStorage = JSON.stringify({...sessionStorage});

  const databases = [];
  for (const {name} of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name));
    for (const store of database.objectStoreNames) databases.push(await done(database.transaction(store).objectStore(store).getAll()));
    database.close();
  }
  places.indexedDB = JSON.stringify(databases);

  const cached = [];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const answer of await cache.matchAll()) cached.push(await answer.text());
  }
  places.caches = cached.join("\n");

  const globals = [];
  for (const name of Object.keys(window)) {
    if (name === "localStorage" || name === "sessionStorage") continue; // read above
    try { globals.push(name + "=" + JSON.stringify(window[name])); } catch { /* the window itself, and its kind */ }
  }
  places.globals = globals.join("\n");
  return places;
};

// Has the application make one call, and waits for its end: false if there was none.
const callOnce = async () => {
  const root = document.documentElement, before = root.dataset.calls;
  const made = new Promise((resolve) => {
    new MutationObserver(() => root.dataset.calls !== before && resolve(true)).observe(root, {attributes: true});
  });
  document.querySelector("#again").click();
  return await within(10000, made) === true;
};

// Places an order by the application's own controls, and waits until it is shown.
const orderOnce = async (item) => {
  const list = document.querySelector("#orders");
  const shown = new Promise((resolve) => {
    new MutationObserver(() => list.textContent.includes(item) && resolve()).observe(list, {childList: true});
  });
  document.querySelector("#item").value = item;
  document.querySelector("#order").requestSubmit();
  await within(10000, shown);
};
