/** What the text worker does. Its tokenizers are those that it was sent last. */

import { checkTemplate, renderChat } from "./chat_template.js";
import { LibraryTokenizer } from "./library_tokenizer.js";

/**
 * @typedef {object} TextRequest
 * @property {"load" | "encode" | "decode" | "tokens" | "render"} name
 * @property {any} input
 * @property {number} key of the tokenizer
 * @property {string} [json] its tokenizer.json, which the worker does not have
 * @property {number} [dropped] key of a tokenizer that the worker shall forget
 */

/** @type {Map<number, LibraryTokenizer>} */
const TOKENIZERS = new Map();

/** Returns the answer to a request. @param {TextRequest} request @returns {unknown} */
export function answer({ name, input, key, json, dropped }) {
  if (dropped !== undefined) TOKENIZERS.delete(dropped);
  if (json !== undefined) TOKENIZERS.set(key, new LibraryTokenizer(json));
  if (name === "render") return renderChat(input.template, input.messages, input.specialTokens);
  const tokenizer = /** @type {LibraryTokenizer} */ (TOKENIZERS.get(key));
  if (name !== "load") return tokenizer[name](input);
  if (input !== null) checkTemplate(input);
  return null;
}
