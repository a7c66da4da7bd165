// X5, the end: lets the application make one call, and reports what its own
// functions have told since the page was loaded.
const {seen, held, call} = globalThis.stolen ?? {};
if (!seen) await report({}, "the poison is not in the page");
else {
  const made = await call();
  // A proof of possession is good once: the next call stays here.
  globalThis.stolen.hold = true;
  if (/dpop: /.test(seen.fetch ?? "")) await within(5000, Promise.race([call(), new Promise((resolve) => {
    const look = setInterval(() => held.length && (clearInterval(look), resolve()), 5);
  })]));
  await report(seen, made ? "" : "the application made no call", {requests: held});
}
