// X5: there before the application is. Poisons what the application, the
// libraries below it and the workers it starts call by name.
const seen = {}, held = [];
const note = (place, text) => { seen[place] = text + "\n" + (seen[place] ?? "").slice(0, 100000); };
const {wrap} = tap(window, note, (request) => stolen.hold && held.push(request));
const stolen = {seen, held, hold: false, call: callOnce};
Object.defineProperty(globalThis, "stolen", {value: stolen}); // and not among what is listed

for (const [owner, names, place] of [
  [JSON, ["parse", "stringify"], "JSON"],
  [Headers.prototype, ["set", "append"], "Headers"],
  [URLSearchParams.prototype, ["set", "append"], "URLSearchParams"],
  [XMLHttpRequest.prototype, ["setRequestHeader", "send"], "XMLHttpRequest"],
  [String.prototype, ["concat", "split", "slice", "replace", "replaceAll", "trim"], "String"],
  [Array.prototype, ["push", "join", "map"], "Array"],
  [Storage.prototype, ["setItem"], "Storage"],
  [IDBObjectStore.prototype, ["put", "add"], "IDBObjectStore"],
  [Worker.prototype, ["postMessage"], "Worker"],
  [MessagePort.prototype, ["postMessage"], "MessagePort"],
  [window.ServiceWorker?.prototype, ["postMessage"], "ServiceWorker"],
  [TextEncoder.prototype, ["encode"], "TextEncoder"],
  [TextDecoder.prototype, ["decode"], "TextDecoder"],
]) for (const name of names) wrap(owner, name, place);

const then = Promise.prototype.then;
const overhear = (value) => { if (typeof value === "string" && /eyJ/.test(value)) note("Promise", value); };
Promise.prototype.then = function (kept, broken) {
  return then.call(this, typeof kept === "function" ? (value) => { overhear(value); return kept(value); } : kept, broken);
};

// A worker has a realm of its own: so it gets this script before its own.
const channel = new BroadcastChannel("stolen");
channel.onmessage = ({data: [place, text]}) => note(place, text);
const Plain = window.Worker;
window.Worker = class extends Plain {
  constructor(address, options) {
    const full = new URL(address, location.href).href;
    const first = "(" + ((tap, full) => {
      const channel = new BroadcastChannel("stolen");
      const {wrap} = tap(self, (place, text) => channel.postMessage(["worker", text]));
      for (const name of ["parse", "stringify"]) wrap(JSON, name, "worker");
      for (const name of ["fetch", "Request"]) { // a blob has no address to start from
        const original = self[name];
        const based = (input) => typeof input === "string" ? new URL(input, full).href : input;
        self[name] = name === "fetch" ? (input, options) => original(based(input), options)
          : new Proxy(original, {construct: (target, [input, options]) => new target(based(input), options)});
      }
    }) + ")(" + tap + ", " + JSON.stringify(full) + ");";
    const blob = (text) => URL.createObjectURL(new Blob([text], {type: "text/javascript"}));
    const loader = options?.type === "module" ? "import " + JSON.stringify(blob(first)) + "; import " + JSON.stringify(full) + ";"
      : first + "importScripts(" + JSON.stringify(full) + ");";
    super(blob(loader), options);
  }
};
