// The lab's hand in the victim's tab: it takes orders from the lab and reports
// what came of them. It keeps the functions it needs, as they were before any
// payload ran, and leaves nothing where a payload looks.
(() => {
  if (window.top !== window) return;
  const path = "/lab-agent/", {fetch, JSON, document, location} = window, {parse, stringify} = JSON;
  const report = (id, result) => void fetch(path + "results/" + id, {method: "POST", keepalive: true, body: stringify(result)}).catch(() => {});

  // What runs is a script of this origin, which calls this with its expression.
  Object.defineProperty(window, "cloakroomLabAgent", {value: (id, expression) => {
    try {
      report(id, {value: expression() ?? null});
    } catch (problem) {
      report(id, {error: String(problem)});
    }
  }});

  const orders = new EventSource(path + "orders?at=" + encodeURIComponent(location.origin + location.pathname));
  orders.onerror = () => orders.close(); // another tab has the run, or there is none
  orders.addEventListener("run", ({data}) => {
    const {id} = parse(data), script = document.createElement("script");
    script.src = path + "run/" + id + ".js";
    script.onload = script.onerror = () => script.remove();
    document.documentElement.append(script);
  });
  orders.addEventListener("go", ({data}) => location.assign(parse(data).address));
  orders.addEventListener("over", () => orders.close());
  // A page that is left may be kept to come back to, and its stream with it.
  window.addEventListener("pagehide", () => orders.close());
})();
