// A2: stays. Listens to what passes, looks into the stores on a timer, and
// reports whatever is new.
const passed = {}; // the newest only: a refresh token that was used already would give the theft away
tap(window, (place, text) => { passed[place] = text; });
const look = async () => ({...await readStores(), ...passed});

let last = "";
const tick = async () => {
  const places = await look(), text = JSON.stringify(places);
  if (text === last) return;
  last = text;
  await report(places, "", {more: true});
};
let ticking = tick();
const timer = setInterval(() => { ticking = ticking.then(tick); }, 100);

const before = await callOnce();
await ticking;
// A day later, as far as the page can tell when it looks whether its token has
// expired; and then again not, or its proofs would be of the future.
const now = Date.now;
Date.now = () => {
  Date.now = now;
  return now() + 86400000;
};
const answers = passed.answers;
const after = await callOnce();
Date.now = now;
clearInterval(timer);
await ticking;
const places = await look();
places.renewed = String(passed.answers !== answers && /"access_token"/.test(passed.answers));
await report(places, before && after ? "" : "the application made no call");
