/** The check of a span by a worker. */

/** @typedef {import("../package/shard_elements.js").Span} Span */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./tasks.js").CheckOutput} CheckOutput */
/** @typedef {import("./worker_pool.js").Spot} Spot */
/** @typedef {import("./worker_pool.js").WorkerPool} WorkerPool */

let count = 0;

export class SpanCheck {
  #pool;
  #span;
  #id = `check ${count++}`;
  #taken = 0;
  /** @type {Promise<Spot> | null} where the check is done, null before its first bytes */
  #spot = null;
  /** @type {Promise<unknown>} */
  #previous = Promise.resolve();

  /** @param {WorkerPool} pool @param {Span} span */
  constructor(pool, span) {
    this.#pool = pool;
    this.#span = span;
  }

  /**
   * Checks the next bytes of the span when they have come, and those before them were checked.
   *
   * @param {Promise<Bytes>} coming which are handed over
   * @returns {Promise<CheckOutput>} reports on the elements that they complete, and the bytes
   */
  take(coming) {
    const previous = this.#previous;
    const taken = coming.then(async (bytes) => {
      await previous;
      return this.#check(bytes);
    });
    this.#previous = taken;
    return taken;
  }

  /** Ends the check where it does not go on. */
  end() {
    if (this.#spot === null || this.#taken === this.#span.length) return;
    this.#spot.then((spot) => spot.run("endCheck", { id: this.#id })).catch(() => {});
  }

  /** @param {Bytes} bytes */
  async #check(bytes) {
    const elements = this.#taken === 0 ? this.#span.elements : null;
    this.#taken += bytes.length;
    const last = this.#taken === this.#span.length;
    this.#spot ??= this.#pool.spot(this.#span.length);
    const spot = await this.#spot;
    const whole = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice(); // of a source with a buffer of its own
    return spot.run("check", { id: this.#id, elements, last, bytes: whole });
  }
}
