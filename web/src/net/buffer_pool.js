/**
 * Buffers for bytes on their way from workers to a device, which are used again. Their total length has a limit,
 * so memory is bounded no matter when the platform collects garbage.
 */

/** @typedef {import("./source.js").Bytes} Bytes */

/** A buffer is not used for less than this part of its length: the rest would lack elsewhere. */
const MIN_USE = 1 / 2;

export class BufferPool {
  #limit;
  #total = 0;
  #lent = 0;
  /** @type {ArrayBuffer[]} */
  #free = [];

  /** @param {number} limit total length of all buffers, in bytes; more only where a single one is longer */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * Returns bytes whose values are arbitrary, at the beginning of a buffer; null while there is no room for them.
   *
   * @param {number} length
   * @returns {Bytes | null}
   */
  take(length) {
    const fitting = this.#free.filter(
      ({ byteLength }) => byteLength >= length && length >= byteLength * MIN_USE,
    );
    const shortest = fitting.sort((a, b) => a.byteLength - b.byteLength)[0];
    if (shortest !== undefined) {
      this.#free.splice(this.#free.indexOf(shortest), 1);
      this.#lent++;
      return new Uint8Array(shortest, 0, length);
    }
    const free = this.#free.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.#lent > 0 && this.#total - free + length > this.#limit) return null;
    while (this.#free.length > 0 && this.#total + length > this.#limit) this.#dropFirst();
    this.#total += length;
    this.#lent++;
    return new Uint8Array(length);
  }

  /** Takes bytes back, perhaps after other threads had them. @param {Bytes} bytes */
  give({ buffer }) {
    this.#lent--;
    this.#free.push(buffer);
  }

  /** Drops all buffers that are not lent. */
  clear() {
    while (this.#free.length > 0) this.#dropFirst();
  }

  #dropFirst() {
    const [buffer] = this.#free.splice(0, 1);
    this.#total -= buffer.byteLength;
    drop(buffer);
  }
}

/**
 * Frees a buffer at once: what is sent through a channel that is then closed is destroyed. `buffer.transfer(0)`
 * does not free one that came from another thread in Chromium, which then no longer counts it and does not
 * collect it.
 *
 * @param {ArrayBuffer} buffer
 */
export function drop(buffer) {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, [buffer]);
  port1.close();
  port2.close();
}
