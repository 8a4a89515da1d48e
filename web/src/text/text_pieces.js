/** The text of tokens as they come, never a part of a character. */

/** @typedef {{decode: (ids: readonly number[], signal?: AbortSignal) => Promise<string>}} TokenDecoder */

/** The text of the first bytes of a character. */
const UNFINISHED = "\uFFFD";

/** Number of tokens after which older ones are no longer decoded again. */
const WINDOW = 32;

export class TextPieces {
  /** @type {number[]} */
  #ids = [];
  #shown = "";
  #from = 0;
  #tokenizer;

  /** @param {TokenDecoder} tokenizer */
  constructor(tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * Returns the text that a token completes; it may be empty.
   *
   * Only the last tokens are decoded again, with those before them whose text is known: the text of a token
   * may depend
   * on the token before it.
   *
   * @param {number} id
   */
  async push(id) {
    this.#ids.push(id);
    const text = await this.#tokenizer.decode(this.#ids.slice(this.#from));
    if (text.endsWith(UNFINISHED)) return "";
    const piece = text.slice(this.#shown.length);
    if (this.#ids.length - this.#from > WINDOW && text.length > 0) {
      this.#from = this.#ids.length - 1;
      this.#shown = await this.#tokenizer.decode(this.#ids.slice(this.#from));
      if (this.#shown.includes(UNFINISHED)) {
        // the last token ends a character: its bytes alone are not a character
        this.#from = this.#ids.length - WINDOW;
        this.#shown = await this.#tokenizer.decode(this.#ids.slice(this.#from));
      }
    } else {
      this.#shown = text;
    }
    return piece;
  }

  /** Returns what is left, though it may end within a character. */
  async end() {
    const text = await this.#tokenizer.decode(this.#ids.slice(this.#from));
    const piece = text.slice(this.#shown.length);
    this.#shown = text;
    return piece;
  }
}
