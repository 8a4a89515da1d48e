/** An answer as it comes: pieces of text that never split a character, and what they cost. */

import { InputError } from "../errors.js";

/** @typedef {import("./tokenizer.js").Message} Message */
/**
 * @typedef {object} InferOptions
 * @property {number} [maxTokens] 128 unless told
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [topK] 0 keeps all
 * @property {number} [topP] 1 keeps all
 * @property {number | bigint} [seed] of 64 bits; drawn at random unless told
 * @property {string | string[]} [stop] texts that end the answer; they are left out of it
 * @property {AbortSignal} [signal] aborting rejects with an AbortError; what was yielded stays
 */
/** @typedef {{promptTokens: number, completionTokens: number, totalTokens: number}} Usage */
/** @typedef {"stop" | "length" | "aborted" | "error"} FinishReason */
/** @typedef {(stream: TextStream) => AsyncGenerator<string, FinishReason, void>} Answer */

export const MAX_TOKENS = 128;

/** An async iterable of pieces of text. It can be iterated once. */
export class TextStream {
  #signal;
  #answer;
  #begun = false;

  /**
   * @param {AbortSignal | undefined} signal
   * @param {Answer} answer yields pieces, and returns why it ended
   */
  constructor(signal, answer) {
    this.#signal = signal;
    this.#answer = answer;
    /** @type {Usage} grows with the stream; the end token is not counted */
    this.usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
    /** @type {FinishReason | null} null until the stream has ended */
    this.finishReason = null;
  }

  /** @returns {AsyncGenerator<string, void, void>} */
  async *[Symbol.asyncIterator]() {
    if (this.#begun) throw new InputError("a stream can be read once");
    this.#begun = true;
    const answer = this.#answer(this);
    let left = true;
    try {
      for (;;) {
        const { value, done } = await answer.next();
        if (done) {
          left = false;
          this.finishReason = value;
          return;
        }
        yield value;
      }
    } catch (error) {
      left = false;
      this.finishReason = this.#signal?.aborted && error === this.#signal.reason ? "aborted" : "error";
      throw error;
    } finally {
      if (left) {
        this.finishReason = "aborted";
        await answer.return("aborted");
      }
    }
  }
}

/** Finds texts that end an answer, though they come in pieces. */
export class StopTexts {
  #held = "";
  /** @type {string[]} */
  #texts;

  /** @param {string | string[]} [stop] */
  constructor(stop = []) {
    this.#texts = typeof stop === "string" ? [stop] : stop;
    if (
      !Array.isArray(this.#texts) ||
      !this.#texts.every((text) => typeof text === "string" && text !== "")
    ) {
      throw new InputError("stop is a text, or several, none of them empty");
    }
    this.found = false;
  }

  /**
   * Returns what can be shown after another piece: all before a stop text, and nothing that may become one.
   *
   * @param {string} piece
   */
  push(piece) {
    const text = this.#held + piece;
    const found = this.#texts
      .map((stop) => ({ from: text.indexOf(stop), length: stop.length }))
      .filter(({ from }) => from !== -1)
      .sort((a, b) => a.from + a.length - b.from - b.length || a.from - b.from); // complete first, then longest
    if (found.length > 0) {
      this.found = true;
      this.#held = "";
      return text.slice(0, found[0].from);
    }
    let keep = 0;
    for (const stop of this.#texts) {
      for (let length = Math.min(stop.length - 1, text.length); length > keep; length--) {
        if (text.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** Returns what was held back, when nothing more comes. */
  end() {
    const held = this.#held;
    this.#held = "";
    return held;
  }
}

/**
 * Checks options, and fills them up.
 *
 * @param {InferOptions} options
 * @throws {InputError}
 */
export function checked({ maxTokens = MAX_TOKENS, temperature = 0, topK = 0, topP = 1, seed, stop, signal }) {
  const need = (/** @type {boolean} */ right, /** @type {string} */ message) => {
    if (!right) throw new InputError(message);
  };
  const whole = (/** @type {unknown} */ value) =>
    Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
  need(whole(maxTokens), `maxTokens is a whole number from 0 on, and not ${maxTokens}`);
  need(
    Number.isFinite(temperature) && temperature >= 0,
    `temperature is a number from 0 on, and not ${temperature}`,
  );
  need(whole(topK) && topK < 2 ** 32, `topK is a whole number from 0 on, and not ${topK}`);
  need(Number.isFinite(topP) && topP >= 0 && topP <= 1, `topP is a number of 0 to 1, and not ${topP}`);
  need(
    seed === undefined || typeof seed === "bigint" || Number.isSafeInteger(seed),
    `seed is a whole number or a bigint, and not ${seed}`,
  );
  const drawn = seed === undefined ? crypto.getRandomValues(new BigUint64Array(1))[0] : BigInt(seed);
  return {
    maxTokens,
    sampling: { temperature, topK, topP, seed: BigInt.asUintN(64, drawn) },
    stops: new StopTexts(stop),
    signal,
  };
}
