// X1 and X2: another origin's page sends what a browser lets it send, cookies included,
// and notes what it may read of the answers.
const places = {};
const order = JSON.stringify({item, quantity: 1});
const attempt = async (name, options) => {
  try {
    const response = await fetch(target, {credentials: "include", ...options});
    places[name] = response.type + " " + response.status + " " + (await response.text());
  } catch (problem) {
    places[name] = String(problem);
  }
};
await attempt("read", {});
await attempt("order as the page would", {method: "POST", headers: {"Content-Type": "application/json", "X-CSRF": "1"}, body: order});
await attempt("order without a preflight", {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: order});

// A form whose text reads as JSON, but for an "=" at the item's end, into a frame, and into a window: there the
// visit is a first party's, and cookies that are withheld from frames go along.
const post = (into) => {
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: target, enctype: "text/plain", target: into});
  const field = document.createElement("input");
  [field.name, field.value] = ['{"quantity":1,"item":"' + item, '"}'];
  form.append(field);
  document.body.append(form);
  form.submit();
};
const frame = document.createElement("iframe");
frame.name = "frame";
frame.hidden = true;
document.body.append(frame);
const answered = new Promise((resolve) => { frame.onload = resolve; });
post("frame");
await within(10000, answered);

const other = open("about:blank", "window");
const ours = () => { try { return !other.closed && other.location.href === "about:blank"; } catch { return false; } };
post("window");
const left = async () => { while (ours()) await new Promise((resolve) => setTimeout(resolve, 10)); };
await within(10000, left());
// The same window is sent to the application's sign-out, and a frame: with a cookie or without, an answer may set one.
const read = (target) => { try { return target.document.body.innerText; } catch { return ""; } };
const signedOut = new Promise((resolve) => { frame.onload = resolve; });
frame.src = leave;
await within(10000, signedOut);
if (other) {
  const gone = open("about:blank", "leave");
  const still = () => { try { return gone.location.href === "about:blank"; } catch { return false; } };
  const sent = async () => { while (still()) await new Promise((resolve) => setTimeout(resolve, 10)); };
  if (gone) {
    gone.location = leave;
    await within(10000, sent());
    places.window = read(gone);
    gone.close();
  }
}
other?.close();
await report(places);
