/** A tokenizer of @huggingface/tokenizers, which code of a stranger controls: only the text worker uses it. */

import { Tokenizer } from "@huggingface/tokenizers";
import { TokenizerError } from "../errors.js";
import { TokenBound } from "./token_bound.js";

export class LibraryTokenizer {
  #tokenizer;
  #bound;

  /** @param {string} text of a tokenizer.json @throws {TokenizerError} */
  constructor(text) {
    try {
      const json = JSON.parse(text);
      if (json.model?.type === "Unigram" && json.model.byte_fallback) {
        throw new Error("a Unigram model with byte_fallback is not supported");
      }
      this.#tokenizer = new Tokenizer({ ...json, padding: null, truncation: null }, {});
      this.#bound = new TokenBound(json);
    } catch (cause) {
      throw new TokenizerError(`this tokenizer.json cannot be read: ${reasonOf(cause)}`, { cause });
    }
  }

  /**
   * Returns the ids of a text, without special tokens that a post-processor adds; null if they are certainly more
   * than a number.
   *
   * @param {{text: string, limit?: number}} input
   */
  encode({ text, limit = Infinity }) {
    if (this.#bound.exceeds(text, limit)) return null;
    try {
      return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
    } catch (cause) {
      throw new TokenizerError(`the tokenizer fails: ${reasonOf(cause)}`, { cause });
    }
  }

  /**
   * Returns the text of token ids, without special tokens and without ids that this tokenizer does not have.
   *
   * @param {{ids: readonly number[]}} input
   */
  decode({ ids }) {
    const known = ids.filter((id) => this.#tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return "";
    try {
      return this.#tokenizer.decode(known, {
        skip_special_tokens: true,
        clean_up_tokenization_spaces: false,
      });
    } catch (cause) {
      throw new TokenizerError(`the tokenizer fails: ${reasonOf(cause)}`, { cause });
    }
  }

  /** Returns the strings of tokens, empty for those that it does not have. @param {{ids: readonly number[]}} input */
  tokens({ ids }) {
    return ids.map((id) => this.#tokenizer.id_to_token(id) ?? "");
  }
}

/** @param {unknown} cause */
function reasonOf(cause) {
  return cause instanceof Error ? cause.message : String(cause);
}
