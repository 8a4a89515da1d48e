/** Tokenizers from an address of their own. */

import { InputError, NetworkError, TokenizerError } from "../errors.js";
import { Tokenizer } from "../text/tokenizer.js";
import { optionsOf } from "./options.js";

/** @typedef {import("../text/tokenizer.js").TokenizerOptions} TokenizerOptions */

/**
 * Loads a tokenizer: a tokenizer.json, or a vocab.json of byte-level BPE with a merges.txt beside it.
 *
 * @param {string | URL} vocabUrl
 * @param {TokenizerOptions & {signal?: AbortSignal}} [given]
 * @returns {Promise<Tokenizer>}
 * @throws {TokenizerError | NetworkError}
 */
export async function createTokenizer(vocabUrl, given) {
  const { signal, ...options } = optionsOf(given);
  const { bosTokenId = null, eosTokenIds = [], chatTemplate = null } = options;
  const isId = (/** @type {unknown} */ id) => Number.isSafeInteger(id) && /** @type {number} */ (id) >= 0;
  const right =
    (bosTokenId === null || isId(bosTokenId)) && Array.isArray(eosTokenIds) && eosTokenIds.every(isId);
  if (!right) throw new InputError("bosTokenId is a token id or null, eosTokenIds are token ids");
  if (chatTemplate !== null && typeof chatTemplate !== "string")
    throw new InputError("chatTemplate is a text or null");
  let url;
  try {
    url = new URL(vocabUrl, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new InputError(`${vocabUrl} is no address of a tokenizer`);
  }
  const text = await textAt(url, signal);
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${url.href} is no JSON`, { cause });
  }
  if (
    typeof value === "object" &&
    value !== null &&
    "model" in value &&
    typeof value.model === "object" &&
    value.model !== null
  ) {
    return Tokenizer.fromJson(text, options);
  }
  return Tokenizer.fromVocab(text, await textAt(new URL("merges.txt", url), signal), options);
}

/** @param {URL} url @param {AbortSignal} [signal] */
async function textAt(url, signal) {
  const failed =
    (/** @type {string} */ what, /** @type {string} */ code) => (/** @type {unknown} */ cause) => {
      signal?.throwIfAborted();
      throw new NetworkError(`${url.href} ${what}`, { code, cause });
    };
  const response = await fetch(url, { signal }).catch(failed("cannot be reached", "network"));
  if (!response.ok) {
    const code = response.status === 404 ? "not-found" : "status";
    throw new NetworkError(`${url.href}: the server answers ${response.status}`, {
      code,
      status: response.status,
    });
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    throw new NetworkError(`${url.href} is a web page and no tokenizer: is the address right?`, {
      code: "html",
    });
  }
  return response.text().catch(failed("came in part: the connection was cut", "cut"));
}
