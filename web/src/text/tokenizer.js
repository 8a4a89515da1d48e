/** Text to token ids and back (spec: Decoder, Generation; LLQ-TOK-1). */

import { TokenizerError } from "../errors.js";

/** @typedef {{role: string, content: string}} Message one message of a chat */
/**
 * @typedef {object} TokenizerOptions
 * @property {number | null} [bosTokenId] the token that begins a text, null where the model wants none
 * @property {readonly number[]} [eosTokenIds] tokens that end an answer
 * @property {string | null} [chatTemplate] Jinja template of chat messages
 */

const UNFINISHED = "\uFFFD"; // what decoding shows for the first bytes of a character

/** The tokenizer of a package, through @huggingface/tokenizers. */
export class Tokenizer {
  #tokenizer;
  #template;

  /**
   * Use `Tokenizer.fromJson`.
   *
   * @param {import("@huggingface/tokenizers").Tokenizer} tokenizer
   * @param {TokenizerOptions} options
   */
  constructor(tokenizer, { bosTokenId = null, eosTokenIds = [], chatTemplate = null }) {
    this.#tokenizer = tokenizer;
    this.#template = chatTemplate;
    this.bosTokenId = bosTokenId;
    this.eosTokenIds = eosTokenIds;
  }

  /**
   * Makes a tokenizer of the text of a tokenizer.json.
   *
   * @param {string} text
   * @param {TokenizerOptions} [options]
   * @returns {Promise<Tokenizer>}
   * @throws {TokenizerError}
   */
  static async fromJson(text, options = {}) {
    const library = await import("@huggingface/tokenizers");
    try {
      return new Tokenizer(new library.Tokenizer(JSON.parse(text), {}), options);
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause);
      throw new TokenizerError(`this is no tokenizer.json that can be read: ${found}`, { cause });
    }
  }

  /**
   * Makes a byte-level BPE tokenizer of a vocab.json and a merges.txt, as GPT-2 has them.
   *
   * @param {string} vocab
   * @param {string} merges
   * @param {TokenizerOptions} [options]
   * @returns {Promise<Tokenizer>}
   * @throws {TokenizerError}
   */
  static async fromVocab(vocab, merges, options = {}) {
    let entries;
    try {
      entries = JSON.parse(vocab);
    } catch (cause) {
      throw new TokenizerError("vocab.json is no JSON", { cause });
    }
    const lines = merges.split("\n").map((line) => line.replace(/\r$/, ""));
    const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
    return Tokenizer.fromJson(
      JSON.stringify({
        version: "1.0",
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: bytes,
        post_processor: null,
        decoder: bytes,
        model: {
          type: "BPE",
          unk_token: null,
          vocab: entries,
          merges: lines.filter((line) => line !== "" && !line.startsWith("#version")),
        },
      }),
      options,
    );
  }

  /**
   * Returns the ids of a prompt, with the token that begins a text exactly once at the beginning, if there is one.
   *
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false });
    return this.bosTokenId === null || ids[0] === this.bosTokenId ? ids : [this.bosTokenId, ...ids];
  }

  /**
   * Returns the text of token ids, special tokens left out, and ids that this tokenizer does not have.
   *
   * @param {readonly number[]} ids
   * @returns {string}
   */
  decode(ids) {
    const known = ids.filter((id) => this.#tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return "";
    return this.#tokenizer.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /**
   * Returns the prompt of chat messages, by the package's template.
   *
   * @param {readonly Message[]} messages
   * @returns {Promise<string>}
   * @throws {TokenizerError}
   */
  async chat(messages) {
    if (this.#template === null) {
      throw new TokenizerError("this tokenizer has no chat template: give a plain prompt", {
        code: "no-template",
      });
    }
    const { Template } = await import("@huggingface/jinja");
    const token = (/** @type {number | null | undefined} */ id) =>
      id === null || id === undefined ? "" : (this.#tokenizer.id_to_token(id) ?? "");
    try {
      return new Template(this.#template).render({
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: true,
        bos_token: token(this.bosTokenId),
        eos_token: token(this.eosTokenIds[0]),
      });
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause);
      throw new TokenizerError(`the chat template refuses the messages: ${found}`, {
        cause,
        code: "template",
      });
    }
  }

  /** Returns what turns tokens into pieces of text as they come. */
  pieces() {
    return new TextPieces(this);
  }
}

/** The text of tokens as they come, never a part of a character. */
export class TextPieces {
  /** @type {number[]} */
  #ids = [];
  #shown = "";
  #from = 0;
  #tokenizer;

  /** @param {Tokenizer} tokenizer */
  constructor(tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * Returns the text that a token completes; it may be empty.
   *
   * Only the last tokens are decoded again: from those on whose text was shown when the previous one came, for the
   * text of a token may depend on the one before it.
   *
   * @param {number} id
   */
  push(id) {
    this.#ids.push(id);
    const text = this.#tokenizer.decode(this.#ids.slice(this.#from));
    if (text.endsWith(UNFINISHED)) return "";
    const piece = text.slice(this.#shown.length);
    if (this.#ids.length - this.#from > WINDOW && text.length > 0) {
      this.#from = this.#ids.length - 1;
      this.#shown = this.#tokenizer.decode(this.#ids.slice(this.#from));
      if (this.#shown.includes(UNFINISHED)) {
        // the last token ends a character: its bytes alone are none
        this.#from = this.#ids.length - WINDOW;
        this.#shown = this.#tokenizer.decode(this.#ids.slice(this.#from));
      }
    } else {
      this.#shown = text;
    }
    return piece;
  }

  /** Returns what is left, though it may end within a character. */
  end() {
    const text = this.#tokenizer.decode(this.#ids.slice(this.#from));
    const piece = text.slice(this.#shown.length);
    this.#shown = text;
    return piece;
  }
}

const WINDOW = 32;
