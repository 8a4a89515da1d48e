/** Strings that end an answer, found even where they come in pieces. */

import { InputError } from "../errors.js";

export class StopStrings {
  #tail = "";
  /** @type {string[]} */
  #strings;

  /** @param {string | string[]} [stop] */
  constructor(stop = []) {
    this.#strings = typeof stop === "string" ? [stop] : stop;
    if (
      !Array.isArray(this.#strings) ||
      !this.#strings.every((text) => typeof text === "string" && text !== "")
    ) {
      throw new InputError("stop is invalid: expected a string or an array of strings, none of them empty");
    }
    this.complete = false;
  }

  /**
   * Returns what can be shown after another piece: all before a stop string, and nothing that may become one.
   *
   * @param {string} piece
   */
  push(piece) {
    const text = this.#tail + piece;
    const matches = this.#strings
      .map((stop) => ({ from: text.indexOf(stop), length: stop.length }))
      .filter(({ from }) => from !== -1)
      .sort((a, b) => a.from + a.length - b.from - b.length || a.from - b.from); // complete first, then longest
    if (matches.length > 0) {
      this.complete = true;
      this.#tail = "";
      return text.slice(0, matches[0].from);
    }
    let keep = 0;
    for (const stop of this.#strings) {
      for (let length = Math.min(stop.length - 1, text.length); length > keep; length--) {
        if (text.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    this.#tail = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** Returns the text that was not shown yet, when nothing more comes. */
  end() {
    const tail = this.#tail;
    this.#tail = "";
    return tail;
  }
}
