// A4: does what the user can do, by the application's own controls, and reads
// what it shows. Nothing is stolen.
const list = document.querySelector("#orders");
document.querySelector("#item").value = item;
const shown = new Promise((resolve) => {
  const look = () => list.textContent.includes(item) && resolve();
  new MutationObserver(look).observe(list, {childList: true});
});
document.querySelector("#order").requestSubmit();
await within(10000, shown);
await report({page: list.innerText});
