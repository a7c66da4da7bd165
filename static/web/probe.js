// Reads everything a script of this page can reach and looks for tokens in it,
// the way an injected script would. It reports shortened values only: a whole
// token handed to the Wasm program would be found in its memory next time.
"use strict";
(() => {
  const mostItems = 40; // reported per source; all are searched
  const mostText = 1 << 20; // characters searched per record
  const patience = 3000; // ms per source

  const jose = /eyJ[\w-]{5,}(?:\.[\w-]*){2,4}/g;

  const decode = (part) => {
    const raw = atob(part.replace(/-/g, "+").replace(/_/g, "/"));
    return new TextDecoder().decode(Uint8Array.from(raw, (c) => c.charCodeAt(0)));
  };

  // asToken tells a JWT (RFC 7519) from text that merely looks like one: the
  // first part must decode to a JOSE header.
  const asToken = (match) => {
    let parts = match.split(".");
    let header;
    try {
      header = JSON.parse(decode(parts[0]));
    } catch {
      return null;
    }
    if (!header || typeof header.alg !== "string") return null;
    const sealed = typeof header.enc === "string" && parts.length === 5;
    if (!sealed) {
      parts = parts.slice(0, 3);
      if (parts[1] === "") return null;
    }
    let claims = "";
    if (!sealed) {
      try {
        claims = decode(parts[1]);
      } catch {
        return null;
      }
    }
    return { text: parts.join("."), alg: header.alg, claims: shorten(claims, 160) };
  };

  const shorten = (text, most) => (text.length > most ? text.slice(0, most) + "…" : text);
  const stub = (token) => token.slice(0, 14) + "…" + token.slice(-4);

  // Search collects the tokens of one source; the same one twice is one, with two copies.
  class Search {
    tokens = new Map();
    items = [];
    count = 0;

    // scan finds the tokens that start before end and returns text with each cut short.
    scan(text, end = text.length) {
      let shown = "";
      let from = 0;
      for (const match of text.matchAll(jose)) {
        if (match.index >= end) break;
        const token = asToken(match[0]);
        if (!token) continue;
        const known = this.tokens.get(token.text);
        if (known) known.copies++;
        else this.tokens.set(token.text, { stub: stub(token.text), bytes: token.text.length, alg: token.alg, claims: token.claims, copies: 1 });
        shown += text.slice(from, match.index) + stub(token.text);
        from = match.index + token.text.length;
      }
      return shown + text.slice(from);
    }

    add(name, value) {
      this.count++;
      const before = this.tokens.size;
      const shownName = this.scan(String(name));
      const text = typeof value === "string" ? value : describe(value);
      const shown = this.scan(text.slice(0, mostText));
      if (this.items.length < mostItems || this.tokens.size > before) {
        this.items.push({ name: shorten(shownName, 80), value: shorten(shown, 140), bytes: text.length, token: this.tokens.size > before });
      }
    }
  }

  const describe = (value) => {
    if (value === undefined) return "undefined";
    try {
      const seen = new Set();
      return JSON.stringify(value, (_, v) => {
        if (typeof v === "bigint") return String(v);
        if (ArrayBuffer.isView(v)) return new TextDecoder("latin1").decode(v);
        if (v && typeof v === "object") {
          if (seen.has(v)) return null;
          seen.add(v);
        }
        return v;
      }) ?? String(value);
    } catch {
      return String(value);
    }
  };

  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("blocked"));
    });

  const readStore = (store, each) =>
    new Promise((resolve, reject) => {
      const request = store.openCursor();
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve();
        each(cursor.key, cursor.value);
        cursor.continue();
      };
    });

  const sources = {
    cookie: async (s) => {
      for (const pair of document.cookie.split("; ").filter(Boolean)) {
        const at = pair.indexOf("=");
        s.add(pair.slice(0, Math.max(at, 0)), pair.slice(at + 1));
      }
    },
    cookieStore: async (s) => {
      if (!globalThis.cookieStore) return "not offered by this browser";
      for (const c of await cookieStore.getAll()) s.add(c.name, c.value);
    },
    localStorage: async (s) => {
      for (let i = 0; i < localStorage.length; i++) s.add(localStorage.key(i), localStorage.getItem(localStorage.key(i)));
    },
    sessionStorage: async (s) => {
      for (let i = 0; i < sessionStorage.length; i++) s.add(sessionStorage.key(i), sessionStorage.getItem(sessionStorage.key(i)));
    },
    indexedDB: async (s) => {
      if (!indexedDB.databases) return "databases cannot be listed in this browser";
      const found = await indexedDB.databases();
      for (const { name } of found) {
        const db = await done(indexedDB.open(name));
        try {
          for (const store of db.objectStoreNames) {
            const records = db.transaction(store, "readonly").objectStore(store);
            await readStore(records, (key, value) => s.add(`${name} / ${store} / ${describe(key)}`, value));
          }
        } finally {
          db.close();
        }
      }
      return found.length === 0 ? "" : "databases: " + found.map((d) => d.name).join(", ");
    },
    caches: async (s) => {
      if (!globalThis.caches) return "not offered by this browser";
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
          const response = await cache.match(request);
          s.add(`${name} / ${request.url}`, response ? await response.text() : "");
        }
      }
    },
    page: async (s) => {
      s.add("location", location.href);
      s.add("referrer", document.referrer);
      s.add("window.name", window.name);
      s.add("history.state", history.state);
      for (const name of Object.keys(window)) {
        const value = Object.getOwnPropertyDescriptor(window, name)?.value;
        if (typeof value === "string" || (value && Object.getPrototypeOf(value) === Object.prototype)) s.add(name, value);
      }
    },
  };

  // memoryOf catches the Wasm instance at its next breath: Go's loader keeps it
  // out of reach, but every call into Go goes through a method of a public class.
  const memoryOf = (breathe) =>
    new Promise((resolve) => {
      const resume = Go.prototype._resume;
      Go.prototype._resume = function () {
        Go.prototype._resume = resume;
        resolve(this._inst.exports.mem);
        return resume.call(this);
      };
      setTimeout(breathe);
    });

  const searchMemory = async (s, breathe) => {
    const memory = await memoryOf(breathe);
    const latin = new TextDecoder("latin1");
    const step = 1 << 22;
    const overlap = 1 << 14; // longer than a token
    for (let at = 0; at < memory.buffer.byteLength; at += step) {
      const rest = memory.buffer.byteLength - at; // the memory may have grown meanwhile
      s.scan(latin.decode(new Uint8Array(memory.buffer, at, Math.min(step + overlap, rest))), step);
      s.count = at + Math.min(step, rest);
      await new Promise((next) => setTimeout(next)); // let the page draw
    }
  };

  const within = (ms, work) =>
    Promise.race([work, new Promise((_, reject) => setTimeout(() => reject(new Error("took too long")), ms))]);

  const look = async (id, read, ms) => {
    const s = new Search();
    let note = "";
    let failed = false;
    try {
      note = (await within(ms, read(s))) || "";
    } catch (err) {
      failed = true;
      note = String(err && err.message ? err.message : err);
    }
    return { id, count: s.count, items: s.items, tokens: [...s.tokens.values()], note: shorten(note, 200), failed };
  };

  globalThis.cloakroomProbe = async (breathe) => {
    const start = performance.now();
    const found = [];
    for (const [id, read] of Object.entries(sources)) found.push(await look(id, read, patience));
    found.push(await look("memory", (s) => searchMemory(s, breathe), 10 * patience));
    return JSON.stringify({ sources: found, millis: Math.round(performance.now() - start) });
  };
})();
