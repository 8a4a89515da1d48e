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
  /** @type {Bytes} bytes that came and were not taken */
  #rest = new Uint8Array(0);

  /**
   * @param {Response} response
   * @param {Attempt} attempt
   * @param {(bytes: number) => void} onNetwork
   */
  constructor(response, attempt, onNetwork) {
    this.#reader = readerOf(response);
    this.#onNetwork = onNetwork;
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
    if (this.#rest.length === 0) {
      this.attempt.alive();
      const { value, done } = await this.#reader.read();
      if (done) return null;
      this.#rest = value;
      this.#onNetwork(value.length);
    }
    const skip = Math.min(this.#rest.length, Math.max(0, offset - this.offset));
    const bytes = this.#rest.subarray(skip, Math.min(this.#rest.length, skip + limit));
    this.offset += skip + bytes.length;
    this.#rest = this.#rest.subarray(skip + bytes.length);
    return bytes;
  }
}
