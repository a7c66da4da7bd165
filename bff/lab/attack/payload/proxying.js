// A4: does what the user can do, by the application's own controls, and reads
// what it shows. Nothing is stolen.
await orderOnce(item);
await report({page: document.querySelector("#orders").innerText});
