/** A package that several servers have: what one does not send is requested from the next. */

import { NetworkError, PackageError } from "../errors.js";
import { HttpSource } from "./http_source.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./attempt.js").RetryOptions} RetryOptions */
/** @typedef {import("./endpoint.js").Endpoint} Endpoint */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */

/** How a mirror is asked while there are others: nobody waits long for it. */
const BRIEFLY = { attempts: 2, maxWait: 1000 };

/** The files of a package at mirrors, in the order of preference. */
export class MirroredSource {
  #mirrors;
  /** The mirror that is asked first: the one that sent what another did not. */
  #first = 0;
  /** @type {Map<string, number>} how often a piece came damaged, by its file and offset */
  #damages = new Map();

  /** @param {Endpoint[]} endpoints @param {import("./http_source.js").FetchOptions} [options] */
  constructor(endpoints, options = {}) {
    this.#mirrors = endpoints.map((endpoint) => new HttpSource(endpoint, options));
  }

  /** Number of servers that may have a piece. */
  get mirrors() {
    return this.#mirrors.length;
  }

  /** Takes numbers of bytes that other threads fetch, as they come. */
  get onNetwork() {
    return this.#mirrors[0].onNetwork;
  }

  /** How another thread can fetch from the mirror that is asked first; null until that has sent a range. */
  get remote() {
    const remote = this.#mirrors[this.#first].remote;
    if (remote === null || this.#mirrors.length === 1) return remote;
    return { ...remote, options: { ...remote.options, ...BRIEFLY }, isOneOfSeveral: true };
  }

  /**
   * Returns metadata.json of the first mirror that sends it.
   *
   * @param {AbortSignal} [signal]
   * @param {Partial<RetryOptions>} [retries]
   * @returns {Promise<Bytes>}
   */
  metadata(signal, retries) {
    return this.#firstOf(this.#first, signal, (mirror, brief) =>
      mirror.metadata(signal, { ...retries, ...brief }),
    );
  }

  /**
   * Returns a piece of a file. After it came damaged, the next mirror is asked first.
   *
   * @param {FileEntry} entry
   * @param {Piece} piece
   * @param {AbortSignal} [signal]
   * @returns {Promise<Bytes>}
   */
  piece(entry, piece, signal) {
    const start = this.#first + (this.#damages.get(keyOf(entry, piece)) ?? 0);
    return this.#firstOf(start, signal, (mirror, brief) =>
      mirror.piece(entry, piece, signal, undefined, brief),
    );
  }

  /** Takes note of pieces that came damaged. @param {FileEntry} entry @param {Piece[]} pieces */
  damaged(entry, pieces) {
    for (const piece of pieces) {
      const key = keyOf(entry, piece);
      this.#damages.set(key, (this.#damages.get(key) ?? 0) + 1);
    }
  }

  /**
   * Returns what the first mirror gives that gives anything; the error is that of the first in the list.
   *
   * @param {number} start number of the mirror that is asked first; the others follow in a circle
   * @param {AbortSignal | undefined} signal
   * @param {(mirror: HttpSource, retries: Partial<RetryOptions> | undefined) => Promise<Bytes>} action
   * @returns {Promise<Bytes>}
   */
  async #firstOf(start, signal, action) {
    const count = this.#mirrors.length;
    /** @type {unknown[]} */
    const errors = [];
    for (let asked = 0; asked < count; asked++) {
      const number = (start + asked) % count;
      try {
        const bytes = await action(this.#mirrors[number], count > 1 ? BRIEFLY : undefined);
        if (asked > 0) this.#first = number;
        return bytes;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof NetworkError || error instanceof PackageError)) throw error;
        errors[number] = error;
      }
    }
    throw errors[0];
  }
}

/** @param {FileEntry} entry @param {Piece} piece */
function keyOf({ file }, { offset }) {
  return `${file} ${offset}`;
}
