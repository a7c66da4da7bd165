// Copies all there is, at one moment: the stores, and what one call carries.
const passed = {};
tap(window, (place, text) => { passed[place] = text + "\n" + (passed[place] ?? ""); });
const made = await callOnce();
await report({...await readStores(), ...passed}, made ? "" : "the application made no call");
