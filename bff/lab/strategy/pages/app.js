// What every application of the lab does: sign in, show orders, place one, sign out. How it knows who is there is
// session.js's business.
import {begin, restore, call, end} from "/session.js";

const root = document.documentElement;
const element = (id) => document.getElementById(id);

const show = (state, text) => {
  element("status").textContent = text;
  root.dataset.state = state;
};

const signedOut = (text) => {
  element("orders").replaceChildren();
  show("out", text);
};

// list shows the orders, unless the session has ended meanwhile.
async function list() {
  const response = await call("GET", "/orders");
  if (response.status === 401) return signedOut("Nobody is signed in any more.");
  if (!response.ok) throw new Error("the orders answered " + response.status);
  const page = await response.json();
  element("orders").replaceChildren(...page.orders.map((order) => {
    const row = document.createElement("li");
    row.textContent = order.quantity + " × " + order.item;
    return row;
  }));
  root.dataset.calls = Number(root.dataset.calls) + 1;
  show("in", "Signed in.");
}

const attempt = (work) => work().catch((problem) => show("failed", String(problem)));

element("sign-in").addEventListener("click", () => attempt(begin));
element("again").addEventListener("click", () => attempt(list));
element("sign-out").addEventListener("click", () => attempt(async () => {
  await end();
  signedOut("Nobody is signed in.");
}));
element("order").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await call("POST", "/orders", {item: element("item").value, quantity: 1});
    await list();
  });
});

attempt(async () => {
  if (await restore()) await list();
  else signedOut("Nobody is signed in.");
});
