/** The tokenizer of a package. */

import { Tokenizer } from "./tokenizer.js";

/** @typedef {import("../net/package.js").Package} Package */

/**
 * Returns the tokenizer of a package, null where it has none.
 *
 * @param {Package} opened
 * @param {AbortSignal} [signal]
 */
export async function packageTokenizer(opened, signal) {
  const entry = opened.metadata.tokenizer;
  if (entry === undefined) return null;
  const text = new TextDecoder().decode(await opened.readFile(entry, signal));
  const options = {
    bosTokenId: entry.bos_token_id,
    eosTokenIds: entry.eos_token_ids,
    chatTemplate: entry.chat_template,
    specialTokens: entry.special_tokens,
  };
  return Tokenizer.fromJson(text, options, signal);
}
