/** Things that are on their way, in order, with a limit to their bytes. */

/** @template T */
export class ReadAhead {
  #limit;
  /** @type {Promise<T>[]} */
  #queue = [];
  #bytes = 0;
  /** @type {(error: unknown) => void} */
  #fail = () => {};
  /** @type {Promise<never>} */
  #failed = new Promise((_, reject) => {
    this.#fail = reject;
  });

  /** @param {number} limit in bytes */
  constructor(limit) {
    this.#limit = limit;
    this.#failed.catch(() => {}); // it is thrown where the next thing is awaited
  }

  /** Whether nothing is on its way. */
  get isEmpty() {
    return this.#queue.length === 0;
  }

  /** Returns whether this number of further bytes may be on their way: any number, if none are. @param {number} bytes */
  hasRoom(bytes) {
    return this.isEmpty || this.#bytes + bytes <= this.#limit;
  }

  /** @param {number} bytes @param {Promise<T>} coming */
  add(bytes, coming) {
    this.#bytes += bytes;
    this.#queue.push(coming);
    coming.catch((error) => this.#fail(error));
  }

  /** Returns the next thing; fails as soon as anything on its way fails. @returns {Promise<T>} */
  async next() {
    const coming = this.#queue.shift();
    if (coming === undefined) throw new Error("nothing is on its way");
    return Promise.race([coming, this.#failed]);
  }

  /** Makes room: bytes are used. @param {number} bytes */
  release(bytes) {
    this.#bytes -= bytes;
  }
}
