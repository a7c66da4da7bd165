// Listens at what an application calls by name, in whatever realm this runs:
// notes texts that look like tokens, by the place they passed. With hold, a call
// that carries a token and a proof of possession is kept instead of sent.
const tap = (realm, note, hold = () => false) => {
  const {JSON, Set, Request, Response, Headers, URLSearchParams, Promise, RegExp} = realm;
  const stringify = JSON.stringify, tokens = new RegExp("eyJ|refresh_token");
  const test = tokens.test.bind(tokens);
  let busy = false;
  const listen = (place, value) => {
    if (busy) return; // what this script does itself
    busy = true;
    try {
      const text = typeof value === "string" ? value : value instanceof URLSearchParams ? value.toString() : stringify(value);
      if (test(text)) note(place, text);
    } catch { /* not for JSON */ }
    busy = false;
  };
  const quietly = (work) => {
    const was = busy;
    busy = true;
    try { return work(); } finally { busy = was; }
  };

  const fetch = realm.fetch;
  realm.fetch = function (input, options) {
    const held = quietly(() => {
      const asked = new Request(input, options), header = {};
      for (const [name, value] of asked.headers) header[name] = value;
      const lines = Object.entries(header).map(([name, value]) => name + ": " + value).join("\n");
      if (test(lines)) note("fetch", lines);
      return header.dpop && header.authorization && hold({method: asked.method, address: asked.url, header});
    });
    listen("fetch", options?.body);
    return held ? new Promise(() => {}) : fetch.call(realm, input, options);
  };

  const wrap = (owner, name, place) => {
    const original = owner?.[name];
    if (typeof original !== "function") return;
    owner[name] = function (...values) {
      for (const value of values) listen(place, value);
      const result = original.apply(this, values);
      listen(place, result);
      return result;
    };
  };
  for (const name of ["json", "text"]) {
    const original = Response.prototype[name];
    Response.prototype[name] = async function () {
      const result = await original.call(this);
      listen("answers", result);
      return result;
    };
  }
  return {listen, wrap};
};
