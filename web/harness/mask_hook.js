/** The option `mask` of a scenario (spec: Runtime API). */

/** @typedef {(number[] | null)[]} Masks words that allow ids, after each number of ids of the answer */

/** A hook for masks, which records its calls. */
export class MaskHook {
  #masks;
  /** @type {number[][]} the ids that each call got */
  calls = [];

  /** @param {Masks} masks */
  constructor(masks) {
    this.#masks = masks;
  }

  /** @param {readonly number[]} ids */
  mask = (ids) => {
    this.calls.push(Array.from(ids));
    const words = this.#masks[Math.min(ids.length, this.#masks.length - 1)];
    return words === null ? null : Uint32Array.from(words);
  };
}
