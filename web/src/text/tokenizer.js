/** Text to token ids and back (spec: Decoder, Generation; LLQ-TOK-1). */

import { TokenizerError } from "../errors.js";
import { renderChat } from "./chat_template.js";
import { TextPieces } from "./text_pieces.js";
import { TokenBound } from "./token_bound.js";

/** @typedef {import("./chat_template.js").Message} Message */
/**
 * @typedef {object} TokenizerOptions
 * @property {number | null} [bosTokenId] the token that begins a text, null where the model uses none
 * @property {readonly number[]} [eosTokenIds] tokens that end an answer
 * @property {string | null} [chatTemplate] Jinja template of chat messages
 * @property {Readonly<Record<string, string>> | null} [specialTokens] variables of the template; null leaves
 *   `bos_token` and `eos_token` to the ids
 */

/** The tokenizer of a package, through @huggingface/tokenizers. */
export class Tokenizer {
  #tokenizer;
  #template;
  #specialTokens;
  #bound;

  /**
   * Use `Tokenizer.fromJson`.
   *
   * @param {import("@huggingface/tokenizers").Tokenizer} tokenizer
   * @param {TokenizerOptions} options
   * @param {TokenBound} bound
   */
  constructor(
    tokenizer,
    { bosTokenId = null, eosTokenIds = [], chatTemplate = null, specialTokens = null },
    bound,
  ) {
    this.#tokenizer = tokenizer;
    this.#bound = bound;
    this.#template = chatTemplate;
    this.#specialTokens = specialTokens;
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
      const json = JSON.parse(text);
      return new Tokenizer(new library.Tokenizer(json, {}), options, new TokenBound(json));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TokenizerError(`this tokenizer.json cannot be read: ${reason}`, { cause });
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
      throw new TokenizerError("vocab.json is not JSON: check the file", { cause });
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
   * Returns the ids of a prompt, which begin with the token that begins a text exactly once, if there is one.
   *
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false });
    return this.bosTokenId === null || ids[0] === this.bosTokenId ? ids : [this.bosTokenId, ...ids];
  }

  /**
   * Returns whether a text certainly has more than a number of tokens; it is not encoded for this.
   *
   * @param {string} text
   * @param {number} limit
   */
  exceeds(text, limit) {
    return this.#bound.exceeds(text, limit);
  }

  /**
   * Returns the text of token ids, without special tokens and without ids that this tokenizer does not have.
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
      throw new TokenizerError("this tokenizer has no chat template: use a plain prompt", {
        code: "no-template",
      });
    }
    return renderChat(this.#template, messages, this.#specialTokens ?? this.#textsOfIds());
  }

  /**
   * Returns the ids of a rendered template, which puts the token in front itself that begins a text.
   *
   * @param {string} text
   * @returns {number[]}
   */
  encodeRendered(text) {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  #textsOfIds() {
    const text = (/** @type {number | null | undefined} */ id) =>
      id === null || id === undefined ? "" : (this.#tokenizer.id_to_token(id) ?? "");
    return { bos_token: text(this.bosTokenId), eos_token: text(this.eosTokenIds[0]) };
  }

  /** Returns what turns tokens into pieces of text as they come. */
  pieces() {
    return new TextPieces(this);
  }
}
