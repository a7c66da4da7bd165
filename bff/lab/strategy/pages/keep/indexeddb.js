// IndexedDB: every script of the origin opens it, workers too.
import {store} from "/store.js";

export const keeper = () => store("tokens");
