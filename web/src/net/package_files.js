/** The files of a package: out of the cache, else from their source. What came from there is stored meanwhile. */

import { NetworkError } from "../errors.js";
import { measured } from "../package/stages.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("./cache.js").PackageCache} PackageCache */
/** @typedef {import("./store.js").StoredBytes} StoredBytes */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {import("./source.js").Source} Source */
/**
 * @typedef {object} CachedPackage
 * @property {PackageCache} cache
 * @property {string} url the package's address in it
 * @property {boolean} [isPrivate] whether only the server decides who gets the package: its metadata.json is not
 *   stored, so no load without it begins
 */
/** @typedef {(bytes: number, cached: boolean) => void} OnPiece called with the length of a piece that came */
/**
 * @typedef {{signal?: AbortSignal, onPiece?: OnPiece, target?: Bytes}} ReadOptions target: where the bytes go, a new
 *   buffer by default
 */

/** Bytes that wait to be stored; with more, the network waits. */
const UNSTORED_BYTES = 48 << 20;
/** How a file is asked for that is stored too: nobody waits long for it. */
const BRIEFLY = { attempts: 2, maxWait: 1000 };
/** Status of a file that its server has no more: then the stored one is out of date. */
const GONE = [404, 410];

export class PackageFiles {
  #source;
  #cached;
  /** @type {Metadata | null} */
  #metadata = null;
  /** @type {Bytes | null} metadata.json, if it came from the source */
  #fresh = null;
  /** @type {Set<Promise<void>>} */
  #writes = new Set();
  /** @type {Promise<unknown>} ends when the last pieces were requested */
  #turn = Promise.resolve();
  #unstored = 0;
  /** @type {Promise<void> | null} ends when what was requested first has come, null before it is requested */
  #first = null;
  #firstCame = () => {};

  /** @param {Source} source @param {CachedPackage | null} [cached] where pieces are stored */
  constructor(source, cached = null) {
    this.#source = source;
    this.#cached = cached;
  }

  /**
   * Returns metadata.json: the stored one where the source gives none at present.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<Bytes>}
   */
  async metadata(signal) {
    const stored = await this.#storedMetadata();
    if (stored === null) {
      this.#fresh = await this.#source.metadata(signal);
      return this.#fresh;
    }
    try {
      this.#fresh = await this.#source.metadata(signal, BRIEFLY);
      return this.#fresh;
    } catch (error) {
      if (!(error instanceof NetworkError) || GONE.includes(error.status ?? 0)) throw error;
      return stored;
    }
  }

  /** Returns the stored metadata.json, null where there is none for this caller. */
  async #storedMetadata() {
    if (this.#cached === null || this.#cached.isPrivate) return null;
    return this.#cached.cache.metadata(this.#cached.url);
  }

  /** Begins to store files: these are the package's. @param {Metadata} metadata which was checked */
  use(metadata) {
    this.#metadata = metadata;
  }

  /**
   * Returns the bytes of pieces that follow each other.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {ReadOptions} [options]
   * @returns {Promise<Bytes>}
   */
  async read(entry, pieces, { signal, onPiece = () => {}, target } = {}) {
    const turn = this.#turn;
    const stored = this.#stored(entry, pieces);
    const requesting = turn.then(async () =>
      this.#request(entry, pieces, await stored, { signal, onPiece, target }),
    );
    this.#turn = requesting.catch(() => {});
    try {
      const { bytes, coming } = await requesting;
      await Promise.all(coming);
      return bytes;
    } finally {
      this.#firstCame();
    }
  }

  /**
   * Returns where a worker reads and writes pieces by itself, null where nothing is stored.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   */
  async place(entry, pieces) {
    if (this.#cached === null) return null;
    return this.#cached.cache.place(this.#cached.url, entry, pieces).catch(() => null);
  }

  /** Whether a worker can do without this thread: it has the store, if there is one. */
  get canBring() {
    return this.#cached === null || this.#cached.cache.hasPlaces;
  }

  /** Takes numbers of bytes that workers fetch, as they come. @returns {(bytes: number) => void} */
  get onNetwork() {
    return this.#source.onNetwork ?? (() => {});
  }

  /** How a worker can fetch by itself, as far as that is known. */
  get remote() {
    return this.#source.remote ?? null;
  }

  /**
   * Returns how a worker can fetch by itself, null where it cannot. The first who asks gets null, and by `read`
   * finds out for all others, who wait.
   */
  async discoveredRemote() {
    if (this.remote !== null || !("remote" in this.#source)) return this.remote;
    if (this.#first === null) {
      this.#first = new Promise((resolve) => {
        this.#firstCame = resolve;
      });
      return null;
    }
    await this.#first;
    return this.remote;
  }

  /**
   * Takes note of why a worker could not store pieces.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {Bytes} bytes
   * @param {unknown} failure
   */
  async notStored(entry, pieces, bytes, failure) {
    if (this.#cached === null || this.#metadata === null) return;
    const { cache, url } = this.#cached;
    await cache.putAgain(url, entry, pieces, bytes, this.#metadata, failure);
  }

  /**
   * Requests what is not stored of pieces: as soon as there is room to store it, and in the order of the pieces.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {StoredBytes | null} stored
   * @param {Required<Pick<ReadOptions, "onPiece">> & ReadOptions} options
   * @returns {Promise<{bytes: Bytes, coming: Promise<void>[]}>} bytes, which are complete when all has come
   */
  async #request(entry, pieces, stored, { signal, onPiece, target }) {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const bytes = target ?? stored?.bytes ?? new Uint8Array(length);
    if (stored !== null && bytes !== stored.bytes) bytes.set(stored.bytes);
    /** @type {Promise<void>[]} */
    const coming = [];
    for (const [index, piece] of pieces.entries()) {
      signal?.throwIfAborted();
      if (stored?.present[index]) {
        onPiece(piece.length, true);
        continue;
      }
      await this.#room();
      const fetching = measured("fetch", () => this.#source.piece(entry, piece, signal));
      const arriving = fetching.then((data) => {
        bytes.set(data, piece.offset - pieces[0].offset);
        onPiece(piece.length, false);
        this.#store(entry, piece, data);
      });
      arriving.catch(() => {}); // it is thrown where it is awaited
      coming.push(arriving);
    }
    return { bytes, coming };
  }

  /** How often pieces are fetched again that came damaged: once from a server, or once from each mirror. */
  get retries() {
    return Math.max(1, (this.#source.mirrors ?? 1) - 1);
  }

  /** Drops pieces that turned out to be damaged. @param {FileEntry} entry @param {Piece[]} pieces */
  async forget(entry, pieces) {
    this.#source.damaged?.(entry, pieces);
    await this.stored();
    await this.#cached?.cache.drop(this.#cached.url, entry, pieces);
  }

  /** Waits until what came is stored, as far as there is room. */
  async stored() {
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  /** Ends the storing of a package all of whose files came: it replaces its former state. */
  complete() {
    return measured("storing", () => this.#complete());
  }

  async #complete() {
    await this.stored();
    if (this.#cached === null || this.#metadata === null || this.#fresh === null) return;
    const { cache, url, isPrivate } = this.#cached;
    if (cache.failure !== null) return;
    if (!isPrivate) await cache.putMetadata(url, this.#fresh);
    await cache.dropOthers(url, this.#metadata).catch(() => {});
  }

  /** @param {FileEntry} entry @param {Piece[]} pieces */
  async #stored(entry, pieces) {
    if (this.#cached === null) return null;
    const stored = await this.#cached.cache.pieces(this.#cached.url, entry, pieces);
    return stored.present.some(Boolean) ? stored : null;
  }

  /** Waits until few bytes wait to be stored. */
  async #room() {
    while (this.#unstored > UNSTORED_BYTES) await Promise.race(this.#writes);
  }

  /** @param {FileEntry} entry @param {Piece} piece @param {Bytes} bytes */
  #store(entry, piece, bytes) {
    if (this.#cached === null || this.#metadata === null || this.#cached.cache.failure !== null) return;
    const { cache, url } = this.#cached;
    this.#unstored += piece.length;
    const write = cache.putPiece(url, entry, piece, bytes, this.#metadata).finally(() => {
      this.#unstored -= piece.length;
      this.#writes.delete(write);
    });
    this.#writes.add(write);
  }
}
