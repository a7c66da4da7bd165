// An application whose tokens are in a WebAssembly program, which makes every
// request that has one in it. It is script that fetches for it in the end, as
// for any program in a browser.
import * as config from "/config.js";
import "/wasm_exec.js";

const program = new Go();
const {instance} = await WebAssembly.instantiateStreaming(fetch("/app.wasm"), program.importObject);
program.run(instance);

export const {begin, restore, call, end} = globalThis.application({...config});
delete globalThis.application;
