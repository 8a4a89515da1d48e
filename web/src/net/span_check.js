/** The check of a span, in one worker. */

/** @typedef {import("../package/shard_elements.js").Span} Span */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./tasks.js").BringInput} BringInput */
/** @typedef {import("./tasks.js").BringOutput} BringOutput */
/** @typedef {import("./tasks.js").CheckOutput} CheckOutput */
/** @typedef {import("./tasks.js").StepOfCheck} StepOfCheck */
/** @typedef {import("./tasks.js").TaskContext} TaskContext */
/** @typedef {import("./worker_pool.js").Spot} Spot */
/** @typedef {import("./worker_pool.js").WorkerPool} WorkerPool */

let count = 0;

export class SpanCheck {
  #pool;
  #span;
  #steps;
  #id = `check ${count++}`;
  /** @type {Promise<Spot> | null} where the check is done, null before its first bytes */
  #spot = null;
  #checked = 0;

  /** @param {WorkerPool} pool @param {Span} span @param {number} steps number of steps in which its bytes come */
  constructor(pool, span, steps) {
    this.#pool = pool;
    this.#span = span;
    this.#steps = steps;
  }

  /** Returns whether the check is done by another thread. */
  async isRemote() {
    return (await this.#place()).isRemote;
  }

  /**
   * Checks the bytes of a step, after those of the steps before it.
   *
   * @param {number} step
   * @param {Bytes} bytes which are handed over
   * @returns {Promise<CheckOutput>} reports on the elements that they complete, and the bytes
   */
  async take(step, bytes) {
    const spot = await this.#place();
    const output = await spot.run("check", { check: this.#step(step), bytes });
    this.#checked++;
    return output;
  }

  /**
   * Lets the worker bring the bytes of a step by itself, and check them.
   *
   * @param {number} step
   * @param {Omit<BringInput, "check">} input
   * @param {TaskContext} context
   * @returns {Promise<BringOutput>}
   */
  async bring(step, input, context) {
    const spot = await this.#place();
    const output = await spot.run("bring", { check: this.#step(step), ...input }, context);
    if (output.isComplete) this.#checked++;
    return output;
  }

  /** Ends the check where it does not go on. */
  end() {
    if (this.#spot === null || this.#checked === this.#steps) return;
    this.#spot.then((spot) => spot.run("endCheck", { id: this.#id })).catch(() => {});
  }

  /** @returns {Promise<Spot>} the same for all steps */
  #place() {
    this.#spot ??= this.#pool.spot(this.#span.length);
    return this.#spot;
  }

  /** @param {number} step @returns {StepOfCheck} */
  #step(step) {
    return { id: this.#id, step, last: step === this.#steps - 1, elements: this.#span.elements };
  }
}
