// A Cache storage in memory, with limited room.

/** @typedef {{bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string>}} Entry */
/** @typedef {CacheStorage & {damage: (selects: (address: string) => boolean) => void}} MemoryStorage */

/** @param {number} [room] in bytes @returns {MemoryStorage} */
export function memoryStorage(room = Infinity) {
  /** @type {Map<string, Entry>} */
  let entries = new Map();
  let size = 0;
  const addressOf = (/** @type {RequestInfo | URL} */ request) =>
    typeof request === "object" && "url" in request ? request.url : String(request);
  const cache = {
    async match(/** @type {RequestInfo} */ request) {
      const entry = entries.get(addressOf(request));
      return entry && new Response(entry.bytes.slice(), { headers: entry.headers });
    },
    async put(/** @type {RequestInfo} */ request, /** @type {Response} */ response) {
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (size + bytes.length > room) throw new DOMException("no room", "QuotaExceededError");
      size += bytes.length - (entries.get(addressOf(request))?.bytes.length ?? 0);
      entries.set(addressOf(request), { bytes, headers: { "content-length": String(bytes.length) } });
    },
    async delete(/** @type {RequestInfo} */ request) {
      size -= entries.get(addressOf(request))?.bytes.length ?? 0;
      return entries.delete(addressOf(request));
    },
    keys: async () => [...entries.keys()].map((url) => ({ url })),
  };
  const storage = {
    open: async () => cache,
    delete: async () => {
      entries = new Map();
      size = 0;
      return true;
    },
    damage(/** @type {(address: string) => boolean} */ selects) {
      const selected = [...entries].filter(([address]) => selects(address));
      if (selected.length === 0) throw new Error("nothing to damage");
      for (const [, { bytes }] of selected) bytes[bytes.length - 300] ^= 1;
    },
  };
  return /** @type {MemoryStorage} */ (/** @type {unknown} */ (storage)); // what PackageCache uses of one
}
