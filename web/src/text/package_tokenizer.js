/** The tokenizer of a package. */

import { Tokenizer } from "./tokenizer.js";

/** @typedef {import("../net/package.js").Package} Package */

/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */

/**
 * Returns the text of the tokenizer.json of a package, null where it has none.
 *
 * @param {Package} opened
 * @param {AbortSignal} [signal]
 */
export async function tokenizerText(opened, signal) {
  const entry = opened.metadata.tokenizer;
  return entry === undefined ? null : new TextDecoder().decode(await opened.readFile(entry, signal));
}

/**
 * Returns the tokenizer of a package, null where it has none.
 *
 * @param {Metadata} metadata of the package
 * @param {string | null} text of its tokenizer.json
 * @param {AbortSignal} [signal]
 */
export async function packageTokenizer({ tokenizer: entry }, text, signal) {
  if (entry === undefined || text === null) return null;
  const options = {
    bosTokenId: entry.bos_token_id,
    eosTokenIds: entry.eos_token_ids,
    chatTemplate: entry.chat_template,
    specialTokens: entry.special_tokens,
  };
  return Tokenizer.fromJson(text, options, signal);
}
