// X9, the beginning: there before the application is, and remembers every
// WebAssembly instance and memory that is made.
const memories = new Set();
globalThis.memories = memories;
const keep = (instance) => {
  for (const value of Object.values(instance?.exports ?? {})) if (value instanceof WebAssembly.Memory) memories.add(value);
  return instance;
};
for (const name of ["instantiate", "instantiateStreaming"]) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...values) => {
    const result = await original(...values);
    keep(result.instance ?? result);
    return result;
  };
}
WebAssembly.Instance = new Proxy(WebAssembly.Instance, {construct: (target, values) => keep(new target(...values))});
WebAssembly.Memory = new Proxy(WebAssembly.Memory, {construct: (target, values) => {
  const memory = new target(...values);
  memories.add(memory);
  return memory;
}});
