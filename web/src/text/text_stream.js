/** An answer as it comes: pieces of text that never split a character, and what they cost. */

import { InputError } from "../errors.js";

/** @typedef {import("./log_probabilities.js").TokenLogprobs} TokenLogprobs */
/** @typedef {{promptTokens: number, completionTokens: number, totalTokens: number}} Usage */
/** @typedef {"stop" | "length" | "aborted" | "error"} FinishReason */
/** @typedef {(stream: TextStream) => AsyncGenerator<string, FinishReason, void>} Answer */

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
    /** @type {TokenLogprobs[] | null} of each token that was chosen; null without the option `logprobs` */
    this.logprobs = null;
    /** @type {FinishReason | null} null until the stream has ended */
    this.finishReason = null;
  }

  /** @returns {AsyncGenerator<string, void, void>} */
  async *[Symbol.asyncIterator]() {
    if (this.#begun) throw new InputError("this stream already has a reader: call stream again");
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
