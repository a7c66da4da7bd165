// One value in IndexedDB, by its name: what pages have in common with their workers.
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function values(mode, use) {
  const request = indexedDB.open("app", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("values");
  const database = await done(request);
  try {
    return await done(use(database.transaction("values", mode).objectStore("values")));
  } finally {
    database.close();
  }
}

export const store = (name) => {
  const load = async () => await values("readonly", (all) => all.get(name)) ?? null;
  const forget = () => values("readwrite", (all) => all.delete(name));
  return {
    load, forget,
    save: (value) => values("readwrite", (all) => all.put(value, name)),
    take: async () => {
      const value = await load();
      await forget();
      return value;
    },
  };
};
