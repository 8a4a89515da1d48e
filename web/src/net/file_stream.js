/**
 * One response with a whole file, from which pieces are taken in order: for servers that do not support
 * ranges.
 */

import { readerOf } from "./http_response.js";

/** @typedef {import("./attempt.js").Attempt} Attempt */
/** @typedef {import("./source.js").Bytes} Bytes */

export class FileStream {
  #reader;
  #onNetwork;
  #checkEnd;
  #length = 0;
  /** @type {Bytes} bytes that came and were not taken */
  #rest = new Uint8Array(0);

  /**
   * @param {Response} response
   * @param {Attempt} attempt
   * @param {(bytes: number) => void} onNetwork
   * @param {(length: number) => void} [checkEnd] checks the length of the body at its end
   */
  constructor(response, attempt, onNetwork, checkEnd) {
    this.#reader = readerOf(response);
    this.#onNetwork = onNetwork;
    this.#checkEnd = checkEnd;
    this.attempt = attempt;
    /** Offset of the next byte in the file. */
    this.offset = 0;
  }

  /**
   * Returns the next bytes that are there, at most a number of them, and skips those before an offset.
   *
   * @param {number} offset
   * @param {number} limit
   * @returns {Promise<Bytes | null>} null at the end of the response
   */
  async take(offset, limit) {
    if (this.#rest.length === 0 && !(await this.#read())) return null;
    const skip = Math.min(this.#rest.length, Math.max(0, offset - this.offset));
    const bytes = this.#rest.subarray(skip, Math.min(this.#rest.length, skip + limit));
    this.offset += skip + bytes.length;
    this.#rest = this.#rest.subarray(skip + bytes.length);
    return bytes;
  }

  /** Checks that nothing follows the bytes that were taken, if the length of the body has to be checked. */
  async end() {
    if (this.#checkEnd === undefined) return;
    if (this.#rest.length > 0 || (await this.#read())) this.#checkEnd(this.#length);
  }

  /** Reads further bytes; returns whether there were any before the end. */
  async #read() {
    this.attempt.alive();
    const { value, done } = await this.#reader.read();
    if (done) {
      this.#checkEnd?.(this.#length);
      return false;
    }
    this.#length += value.length;
    this.#rest = value;
    this.#onNetwork(value.length);
    return true;
  }
}
