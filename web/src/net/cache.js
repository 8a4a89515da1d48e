/**
 * Pieces of files that were loaded, in the platform's Cache storage.
 *
 * They are stored by the hash of their file. Therefore a package that changes at its address is never mixed
 * up with its
 * older state. What comes from the cache is checked like what comes from the network.
 */

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {Pick<CacheStorage, "open" | "delete">} Storage */

const NAME = "webgpu-llama4-1";
const ORIGIN = "https://webgpu-llama4.invalid"; // keys have to be addresses; nothing is ever fetched from it

/** The packages in a storage. */
export class PackageCache {
  /** @param {Storage} storage */
  constructor(storage) {
    this.storage = storage;
    /** @type {unknown} why nothing more is stored, such as a lack of room; null while there is no failure */
    this.failure = null;
  }

  /** Returns the cache of this platform, null where there is none, as on pages from plain http:. */
  static ofPlatform() {
    return globalThis.caches === undefined ? null : new PackageCache(globalThis.caches);
  }

  /** @param {string} url of the package's directory @returns {Promise<Bytes | null>} */
  metadata(url) {
    return this.#get(`${ORIGIN}/metadata?${from(url)}`);
  }

  /** @param {string} url @param {Bytes} bytes of a metadata.json that was checked */
  putMetadata(url, bytes) {
    return this.#put(`${ORIGIN}/metadata?${from(url)}`, bytes);
  }

  /** @param {string} url @param {FileEntry} entry @param {Piece} piece @returns {Promise<Bytes | null>} */
  async piece(url, entry, piece) {
    const bytes = await this.#get(key(url, entry, piece));
    return bytes?.length === piece.length ? bytes : null;
  }

  /** @param {string} url @param {FileEntry} entry @param {Piece} piece @param {Bytes} bytes */
  putPiece(url, entry, piece, bytes) {
    return this.#put(key(url, entry, piece), bytes);
  }

  /**
   * Drops pieces that turned out to be damaged.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   */
  async drop(url, entry, pieces) {
    const cache = await this.#open();
    await Promise.all(pieces.map((piece) => cache?.delete(key(url, entry, piece))));
  }

  /** @returns {Promise<{url: string, bytes: number}[]>} the packages with their sizes */
  async list() {
    const cache = await this.#open();
    /** @type {Map<string, number>} */
    const sizes = new Map();
    for (const request of (await cache?.keys()) ?? []) {
      const url = new URL(request.url).searchParams.get("from") ?? "";
      const response = await cache?.match(request);
      sizes.set(url, (sizes.get(url) ?? 0) + Number(response?.headers.get("content-length") ?? 0));
    }
    return Array.from(sizes, ([url, bytes]) => ({ url, bytes }));
  }

  /** Deletes a package, or all of them. @param {string} [url] */
  async clear(url) {
    if (url === undefined) {
      await this.storage.delete(NAME);
      return;
    }
    const cache = await this.#open();
    for (const request of (await cache?.keys()) ?? []) {
      if (new URL(request.url).searchParams.get("from") === url) await cache?.delete(request);
    }
  }

  /** @returns {Promise<Cache | null>} */
  async #open() {
    try {
      return await this.storage.open(NAME);
    } catch (failure) {
      this.failure = failure; // private windows refuse
      return null;
    }
  }

  /** @param {string} address @returns {Promise<Bytes | null>} */
  async #get(address) {
    try {
      const response = await (await this.#open())?.match(address);
      return response === undefined ? null : new Uint8Array(await response.arrayBuffer());
    } catch {
      return null;
    }
  }

  /** @param {string} address @param {Bytes} bytes */
  async #put(address, bytes) {
    if (this.failure !== null) return;
    try {
      const headers = { "content-length": String(bytes.length), "content-type": "application/octet-stream" };
      await (await this.#open())?.put(address, new Response(bytes, { headers }));
    } catch (failure) {
      this.failure = failure; // no room: what is there stays, and loading goes on
    }
  }
}

/** @param {string} url @param {FileEntry} entry @param {Piece} piece */
function key(url, entry, { offset, length }) {
  return `${ORIGIN}/${entry.sha256}/${offset}-${length}?${from(url)}`;
}

/** @param {string} url */
function from(url) {
  return new URLSearchParams({ from: url }).toString();
}
