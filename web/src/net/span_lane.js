/** A span on its way: its steps are under way several at a time, and are taken in order. */

/** @typedef {import("./source.js").Bytes} Bytes */
/** @template T @typedef {{lane: SpanLane<T>, value?: T, error?: unknown}} Head of a lane: its next step has come, or failed */

/** @template T of a step */
export class SpanLane {
  /** @type {{bytes: number, coming: Promise<Head<T>>}[]} */
  #steps = [];
  #waiting;
  #limit;

  /**
   * @param {number} order of the span: the error of the first one counts
   * @param {{bytes: number, start: (target: Bytes) => Promise<T>}[]} steps which wait
   * @param {number} limit bytes that may be under way; more only where one step has more
   */
  constructor(order, steps, limit) {
    this.order = order;
    this.#waiting = steps;
    this.#limit = limit;
  }

  /** Whether all steps were taken. */
  get isDone() {
    return this.#steps.length === 0 && this.#waiting.length === 0;
  }

  /** The bytes that are under way. */
  get bytes() {
    return this.#steps.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Starts steps while there is room for them.
   *
   * @param {(bytes: number) => Bytes | null} take returns where the bytes of a step go, null while there is no room
   */
  fill(take) {
    for (let step = this.#waiting[0]; step !== undefined; step = this.#waiting[0]) {
      const fits = this.#steps.length === 0 || this.bytes + step.bytes <= this.#limit;
      const target = fits ? take(step.bytes) : null;
      if (target === null) return;
      this.#waiting.shift();
      const coming = step.start(target).then(
        (value) => ({ lane: this, value }),
        (error) => ({ lane: this, error }),
      );
      this.#steps.push({ bytes: step.bytes, coming });
    }
  }

  /** What comes next, null where nothing is under way. @returns {Promise<Head<T>> | null} */
  get head() {
    return this.#steps[0]?.coming ?? null;
  }

  /** Takes the step that came. */
  take() {
    this.#steps.shift();
  }
}
