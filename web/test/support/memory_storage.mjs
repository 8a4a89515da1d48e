// A Cache storage in memory, with limited room.

export function memoryStorage(room = Infinity) {
  let kept = new Map();
  let taken = 0;
  const addressOf = (request) => (typeof request === "string" ? request : request.url);
  const cache = {
    async match(request) {
      const found = kept.get(addressOf(request));
      return found && new Response(found.bytes.slice(), { headers: found.headers });
    },
    async put(request, response) {
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (taken + bytes.length > room) throw new DOMException("no room", "QuotaExceededError");
      taken += bytes.length;
      kept.set(addressOf(request), { bytes, headers: { "content-length": String(bytes.length) } });
    },
    delete: async (request) => kept.delete(addressOf(request)),
    keys: async () => [...kept.keys()].map((url) => ({ url })),
  };
  return {
    open: async () => cache,
    delete: async () => {
      kept = new Map();
      return true;
    },
    damage(which) {
      const found = [...kept].filter(([address]) => which(address));
      if (found.length === 0) throw new Error("nothing to damage");
      for (const [, { bytes }] of found) bytes[bytes.length - 300] ^= 1;
    },
  };
}
