// IndexedDB: every script of the origin opens it, workers too.
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function store(mode) {
  const request = indexedDB.open("app", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("tokens");
  const database = await done(request);
  return {tokens: database.transaction("tokens", mode).objectStore("tokens"), close: () => database.close()};
}

export const keeper = () => ({
  save: async (value) => {
    const {tokens, close} = await store("readwrite");
    await done(tokens.put(value, "current"));
    close();
  },
  load: async () => {
    const {tokens, close} = await store("readonly");
    const value = await done(tokens.get("current"));
    close();
    return value ?? null;
  },
});
