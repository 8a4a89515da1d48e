/**
 * Packages that were loaded, in a store of the platform.
 *
 * Pieces of files are stored by the hash of their file. Therefore a package that changes at its address is never
 * mixed up with its older state. What comes from the cache is checked like what comes from the network.
 */

import { measured } from "../package/stages.js";
import { CacheStore } from "./cache_store.js";
import { FileStore } from "./file_store.js";
import { isSilence, withinTime } from "./within_time.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").StoredBytes} StoredBytes */
/** @typedef {import("./store.js").WantedFile} WantedFile */
/** @typedef {import("./tasks.js").Place} Place */
/** @typedef {import("./store.js").Written} Written */

const METADATA = "metadata";
/** Time in ms for one answer of a store, which may have many bytes to write before. */
const ANSWER_MS = 60_000;

/** The packages in a store. */
export class PackageCache {
  #store;
  #limit;
  #isSilent = false;
  /** @type {Promise<boolean> | null} whether room was made, null where it was not tried */
  #roomMade = null;

  /** @param {Store} store @param {number} [limit] ms for one answer of the store */
  constructor(store, limit = ANSWER_MS) {
    this.#store = store;
    this.#limit = limit;
    /** @type {unknown} why nothing more is stored, such as a lack of room; null while there is no failure */
    this.failure = null;
  }

  /**
   * Returns the cache of this platform in its faster store, null where there is none.
   *
   * @param {import("./worker_pool.js").WorkerPool} pool that reads and writes
   */
  static async ofPlatform(pool) {
    const store = (await FileStore.ofPlatform(pool).catch(() => null)) ?? CacheStore.ofPlatform();
    return store === null ? null : new PackageCache(store);
  }

  /** @param {string} url of the package's directory @returns {Promise<Bytes | null>} */
  async metadata(url) {
    const { present, bytes } = await this.#read(url, [{ name: METADATA, bytes: null }]);
    return present[0] ? bytes : null;
  }

  /** @param {string} url @param {Bytes} bytes of a metadata.json that was checked */
  putMetadata(url, bytes) {
    return this.#write(url, METADATA, bytes);
  }

  /**
   * Returns the bytes of pieces that follow each other, and which of them were stored.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @returns {Promise<StoredBytes>}
   */
  pieces(url, entry, pieces) {
    return this.#read(
      url,
      pieces.map((piece) => ({ name: nameOf(entry, piece), bytes: piece.length })),
    );
  }

  /** Whether workers read and write the store by themselves. */
  get hasPlaces() {
    return !this.#isSilent && this.#store instanceof FileStore;
  }

  /**
   * Returns where a worker reads and writes pieces by itself, null where only this thread can.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @returns {Promise<Place | null>}
   */
  async place(url, entry, pieces) {
    const store = this.#store;
    if (this.#isSilent || !(store instanceof FileStore)) return null;
    const stored = pieces.map((piece) => nameOf(entry, piece));
    const { directory, names } = await this.#ask(() => store.place(url, stored));
    return { directory, names, writable: this.failure === null, limit: this.#limit };
  }

  /**
   * Takes note of why a worker could not store pieces. Where there is no room, other states of the package make
   * room, and the pieces are stored again.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {Bytes} bytes
   * @param {Metadata} metadata of the package's present state
   * @param {unknown} failure
   */
  async putAgain(url, entry, pieces, bytes, metadata, failure) {
    if (isSilence(failure)) this.#leave(failure);
    this.failure ??= failure;
    if (!isFull(failure)) return;
    this.#roomMade ??= this.#makeRoom(url, metadata);
    if (!(await this.#roomMade)) return;
    for (const piece of pieces) {
      const begin = piece.offset - pieces[0].offset;
      await this.#write(url, nameOf(entry, piece), bytes.slice(begin, begin + piece.length));
    }
  }

  /**
   * Stores a piece. Where there is no room, other states of the package make room first.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece} piece
   * @param {Bytes} bytes which are taken over
   * @param {Metadata} metadata of the package's present state
   */
  async putPiece(url, entry, piece, bytes, metadata) {
    const name = nameOf(entry, piece);
    const { failure, bytes: unwritten } = await this.#write(url, name, bytes);
    if (!isFull(failure)) return;
    this.#roomMade ??= this.#makeRoom(url, metadata);
    if (await this.#roomMade) await this.#write(url, name, unwritten);
  }

  /**
   * Drops pieces that turned out to be damaged.
   *
   * @param {string} url
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   */
  async drop(url, entry, pieces) {
    const names = pieces.map((piece) => nameOf(entry, piece));
    await this.#ask(() => this.#store.remove(url, names)).catch(() => {});
  }

  /**
   * Drops what belongs to other states of a package.
   *
   * @param {string} url
   * @param {Metadata} metadata of its present state
   * @returns {Promise<boolean>} whether there was anything
   */
  async dropOthers(url, { shards, tokenizer, module, program }) {
    const hashes = new Set([...shards, tokenizer, module, program].map((entry) => entry?.sha256));
    const files = (await this.#ask(() => this.#store.packages())).get(url) ?? [];
    const others = files
      .map(({ name }) => name)
      .filter((name) => name !== METADATA && !hashes.has(hashOf(name)));
    await this.#ask(() => this.#store.remove(url, others));
    return others.length > 0;
  }

  /** @returns {Promise<{url: string, bytes: number}[]>} the packages with their sizes */
  async list() {
    const packages = await this.#store.packages();
    return Array.from(packages, ([url, files]) => ({
      url,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    }));
  }

  /** Deletes a package, or all of them. @param {string} [url] */
  clear(url) {
    return this.#store.clear(url);
  }

  /**
   * Makes room where none is left. Metadata of another state is of no use without its files.
   *
   * @param {string} url
   * @param {Metadata} metadata
   * @returns {Promise<boolean>} whether any room was made
   */
  async #makeRoom(url, metadata) {
    try {
      if (!(await this.dropOthers(url, metadata))) return false;
      await this.#ask(() => this.#store.remove(url, [METADATA]));
    } catch {
      return false;
    }
    if (!this.#isSilent) this.failure = null;
    return !this.#isSilent;
  }

  /**
   * Asks the store. One that is silent for too long is not asked again, so that no load waits for it.
   *
   * @template T
   * @param {() => Promise<T>} question
   * @returns {Promise<T>}
   */
  async #ask(question) {
    if (this.#isSilent) throw this.failure;
    try {
      return await withinTime(this.#limit, question());
    } catch (error) {
      if (isSilence(error)) this.#leave(error);
      throw error;
    }
  }

  /** Asks the store no more. @param {unknown} silence */
  #leave(silence) {
    this.#isSilent = true;
    this.failure ??= silence;
  }

  /** @param {string} url @param {WantedFile[]} files @returns {Promise<StoredBytes>} */
  async #read(url, files) {
    try {
      return await measured("cache read", () => this.#ask(() => this.#store.read(url, files)));
    } catch {
      const length = files.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
      return { present: files.map(() => false), bytes: new Uint8Array(length) };
    }
  }

  /** @param {string} url @param {string} name @param {Bytes} bytes @returns {Promise<Written>} */
  async #write(url, name, bytes) {
    if (this.failure !== null) return { failure: this.failure, bytes };
    const writing = measured("cache write", () => this.#ask(() => this.#store.write(url, name, bytes)));
    const written = await writing.catch((failure) => ({ failure, bytes }));
    this.failure ??= written.failure; // no room: what is there stays, and loading goes on
    return written;
  }
}

/** @param {FileEntry} entry @param {Piece} piece */
function nameOf(entry, { offset, length }) {
  return `${entry.sha256}/${offset}-${length}`;
}

/** @param {string} name of a piece */
function hashOf(name) {
  return name.slice(0, name.indexOf("/"));
}

/** @param {unknown} failure whether it is a lack of room */
function isFull(failure) {
  return failure instanceof DOMException && failure.name === "QuotaExceededError";
}
