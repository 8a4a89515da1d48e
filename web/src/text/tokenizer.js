/** Text to token ids and back (spec: Decoder, Generation; LLQ-TOK-1). */

import { ContextError, TokenizerError } from "../errors.js";
import { SANDBOX } from "./sandbox.js";
import { TextPieces } from "./text_pieces.js";

/** @typedef {import("./chat_template.js").Message} Message */
/**
 * @typedef {object} TokenizerOptions
 * @property {number | null} [bosTokenId] the token that begins a text, null where the model uses none
 * @property {readonly number[]} [eosTokenIds] tokens that end an answer
 * @property {string | null} [chatTemplate] Jinja template of chat messages
 * @property {Readonly<Record<string, string>> | null} [specialTokens] variables of the template; null leaves
 *   `bos_token` and `eos_token` to the ids
 */

/** Number of tokenizers that were made. */
let made = 0;

/** The tokenizer of a package. It works in the text worker, because it is code of a stranger. */
export class Tokenizer {
  #source;
  #template;
  #specialTokens;

  /**
   * Use `Tokenizer.fromJson`.
   *
   * @param {string} json the text of a tokenizer.json
   * @param {TokenizerOptions} options
   */
  constructor(json, { bosTokenId = null, eosTokenIds = [], chatTemplate = null, specialTokens = null }) {
    this.#source = { key: made++, json };
    this.#template = chatTemplate;
    this.#specialTokens = specialTokens;
    this.bosTokenId = bosTokenId;
    this.eosTokenIds = eosTokenIds;
  }

  /**
   * Makes a tokenizer of the text of a tokenizer.json. Filters of the chat template are checked, too.
   *
   * @param {string} text
   * @param {TokenizerOptions} [options]
   * @param {AbortSignal} [signal]
   * @returns {Promise<Tokenizer>}
   * @throws {TokenizerError}
   */
  static async fromJson(text, options = {}, signal = undefined) {
    const tokenizer = new Tokenizer(text, options);
    const template = options.chatTemplate ?? null;
    await SANDBOX.run(tokenizer.#source, "load", template, { signal, characters: text.length });
    return tokenizer;
  }

  /**
   * Makes a byte-level BPE tokenizer of a vocab.json and a merges.txt, as GPT-2 has them.
   *
   * @param {string} vocab
   * @param {string} merges
   * @param {TokenizerOptions} [options]
   * @param {AbortSignal} [signal]
   * @returns {Promise<Tokenizer>}
   * @throws {TokenizerError}
   */
  static async fromVocab(vocab, merges, options = {}, signal = undefined) {
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
      signal,
    );
  }

  /**
   * Returns the ids of a prompt, which begin with the token that begins a text exactly once, if there is one.
   *
   * @param {string} text
   * @returns {Promise<number[]>}
   * @throws {TokenizerError}
   */
  async encode(text) {
    return this.#withBos(await this.#encoded(text));
  }

  /**
   * Returns the ids of a prompt, or of chat messages by the template: the template alone puts the token in front that
   * begins a text. A prompt that certainly has too many tokens is refused before it is encoded.
   *
   * @param {string | readonly Message[]} prompt
   * @param {number} limit maximum number of tokens
   * @param {AbortSignal} [signal]
   * @returns {Promise<number[]>}
   * @throws {TokenizerError | ContextError}
   */
  async prompt(prompt, limit, signal) {
    const isChat = typeof prompt !== "string";
    const text = isChat ? await this.chat(prompt, signal) : prompt;
    const ids = await this.#encoded(text, limit, signal);
    return isChat ? ids : this.#withBos(ids);
  }

  /**
   * Returns the ids of a text that continues a sequence. A text that certainly has too many tokens is refused before it
   * is encoded.
   *
   * @param {string} text
   * @param {number} limit maximum number of tokens
   * @param {{begins: boolean, signal?: AbortSignal}} options begins: whether the sequence begins with this text
   * @returns {Promise<number[]>}
   * @throws {TokenizerError | ContextError}
   */
  async continuation(text, limit, { begins, signal }) {
    const ids = await this.#encoded(text, limit, signal);
    return begins ? this.#withBos(ids) : ids;
  }

  /**
   * Returns the text of token ids, without special tokens and without ids that this tokenizer does not have.
   *
   * @param {readonly number[]} ids
   * @param {AbortSignal} [signal]
   * @returns {Promise<string>}
   * @throws {TokenizerError}
   */
  async decode(ids, signal) {
    return SANDBOX.run(this.#source, "decode", { ids: [...ids] }, { signal, characters: ids.length });
  }

  /**
   * Returns the prompt of chat messages, by the package's template.
   *
   * @param {readonly Message[]} messages
   * @param {AbortSignal} [signal]
   * @returns {Promise<string>}
   * @throws {TokenizerError}
   */
  async chat(messages, signal) {
    if (this.#template === null) {
      throw new TokenizerError("this tokenizer has no chat template: use a plain prompt", {
        code: "no-template",
      });
    }
    const specialTokens = this.#specialTokens ?? (await this.#textsOfIds());
    const input = {
      template: this.#template,
      messages: JSON.parse(JSON.stringify(messages)),
      specialTokens,
    };
    return SANDBOX.run(this.#source, "render", input, { signal });
  }

  /** @param {number[]} ids */
  #withBos(ids) {
    return this.bosTokenId === null || ids[0] === this.bosTokenId ? ids : [this.bosTokenId, ...ids];
  }

  /**
   * @param {string} text
   * @param {number} [limit]
   * @param {AbortSignal} [signal]
   * @returns {Promise<number[]>}
   */
  async #encoded(text, limit, signal) {
    const ids = await SANDBOX.run(
      this.#source,
      "encode",
      { text, limit },
      { signal, characters: text.length },
    );
    if (ids !== null) return ids;
    throw new ContextError(
      `the prompt of ${text.length} characters has more tokens than the context holds (${limit})`,
    );
  }

  async #textsOfIds() {
    const ids = [this.bosTokenId ?? -1, this.eosTokenIds[0] ?? -1];
    const [bos, eos] = await SANDBOX.run(this.#source, "tokens", { ids });
    return { bos_token: bos, eos_token: eos };
  }

  /** Returns what turns tokens into pieces of text as they come. */
  pieces() {
    return new TextPieces(this);
  }
}
