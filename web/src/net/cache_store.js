/** Stored bytes in a Cache storage, the platform's or another. */

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").StoredFile} StoredFile */
/** @typedef {import("./store.js").WantedFile} WantedFile */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {Pick<CacheStorage, "open" | "delete">} Storage */

const NAME = "webgpu-llama4-1";
const ORIGIN = "https://webgpu-llama4.invalid"; // keys have to be addresses; nothing is ever fetched from it

/** @implements {Store} */
export class CacheStore {
  #storage;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Returns the store of this platform, null where there is none, as on pages from plain http: and in sandboxes. */
  static ofPlatform() {
    try {
      return globalThis.caches === undefined ? null : new CacheStore(globalThis.caches);
    } catch {
      return null; // a frame without an origin may not even look
    }
  }

  /** @param {string} url of the package @param {WantedFile[]} files */
  async read(url, files) {
    const cache = await this.#storage.open(NAME);
    const stored = await Promise.all(files.map(({ name }) => cache.match(key(url, name))));
    const buffers = await Promise.all(stored.map((response) => response?.arrayBuffer()));
    const contents = files.map(({ bytes: length }, index) => {
      const buffer = buffers[index];
      return buffer !== undefined && (length === null || buffer.byteLength === length)
        ? new Uint8Array(buffer)
        : null;
    });
    const present = contents.map((content) => content !== null);
    if (contents.length === 1 && contents[0] !== null) return { present, bytes: contents[0] };
    const lengths = files.map(({ bytes: length }, index) => length ?? contents[index]?.length ?? 0);
    const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    let end = 0;
    for (const [index, content] of contents.entries()) {
      if (content !== null) bytes.set(content, end);
      end += lengths[index];
    }
    return { present, bytes };
  }

  /** @param {string} url @param {string} name @param {Bytes} bytes */
  async write(url, name, bytes) {
    const headers = { "content-length": String(bytes.length), "content-type": "application/octet-stream" };
    await (await this.#storage.open(NAME)).put(key(url, name), new Response(bytes, { headers }));
    return { failure: null, bytes };
  }

  /** @param {string} url @param {string[]} names */
  async remove(url, names) {
    const cache = await this.#storage.open(NAME);
    await Promise.all(names.map((name) => cache.delete(key(url, name))));
  }

  /** @returns {Promise<Map<string, StoredFile[]>>} */
  async packages() {
    const cache = await this.#storage.open(NAME);
    /** @type {Map<string, StoredFile[]>} */
    const packages = new Map();
    for (const request of await cache.keys()) {
      const { pathname, searchParams } = new URL(request.url);
      const url = searchParams.get("from") ?? "";
      const response = await cache.match(request);
      const bytes = Number(response?.headers.get("content-length") ?? 0);
      packages.set(url, [...(packages.get(url) ?? []), { name: pathname.slice(1), bytes }]);
    }
    return packages;
  }

  /** Deletes a package, or all of them. @param {string} [url] */
  async clear(url) {
    if (url === undefined) {
      await this.#storage.delete(NAME);
      return;
    }
    const files = (await this.packages()).get(url) ?? [];
    await this.remove(
      url,
      files.map(({ name }) => name),
    );
  }
}

/** @param {string} url @param {string} name */
function key(url, name) {
  return `${ORIGIN}/${name}?${new URLSearchParams({ from: url })}`;
}
