/** Tokenizers from an address of their own (spec: Runtime API). */

import { InputError, NetworkError, TokenizerError } from "../errors.js";
import { Tokenizer } from "../text/tokenizer.js";
import { absoluteUrl, optionsOf } from "./options.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("../text/tokenizer.js").TokenizerOptions} TokenizerOptions */

/** The names of all options. */
const TOKENIZER_OPTIONS = ["bosTokenId", "eosTokenIds", "chatTemplate", "specialTokens", "signal"];

/**
 * Loads a tokenizer: a tokenizer.json, or a vocab.json of byte-level BPE with a merges.txt next to it.
 *
 * @param {string | URL} vocabUrl
 * @param {TokenizerOptions & {signal?: AbortSignal}} [options]
 * @returns {Promise<Tokenizer>}
 * @throws {TokenizerError | NetworkError}
 */
export async function createTokenizer(vocabUrl, options) {
  const { signal, ...settings } = optionsOf(options, TOKENIZER_OPTIONS);
  checkSettings(settings);
  const url = absoluteUrl(vocabUrl, "a tokenizer");
  signal?.throwIfAborted();
  return unlessAborted(tokenizerAt(url, settings, signal), signal);
}

/**
 * @param {URL} url
 * @param {TokenizerOptions} settings
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<Tokenizer>}
 */
async function tokenizerAt(url, settings, signal) {
  const text = await textAt(url, signal);
  if (isTokenizerJson(text, url)) return Tokenizer.fromJson(text, settings, signal);
  return Tokenizer.fromVocab(text, await textAt(new URL("merges.txt", url), signal), settings, signal);
}

/** @param {TokenizerOptions} settings @throws {InputError} */
function checkSettings({ bosTokenId = null, eosTokenIds = [], chatTemplate = null, specialTokens = null }) {
  if (bosTokenId !== null && !isId(bosTokenId)) {
    throw new InputError(`bosTokenId is ${String(bosTokenId)}, expected a token id or null`);
  }
  if (!Array.isArray(eosTokenIds) || !eosTokenIds.every(isId)) {
    throw new InputError(`eosTokenIds is ${String(eosTokenIds)}, expected an array of token ids`);
  }
  if (chatTemplate !== null && typeof chatTemplate !== "string") {
    throw new InputError(`chatTemplate is ${String(chatTemplate)}, expected a string or null`);
  }
  if (specialTokens !== null && !isTexts(specialTokens)) {
    throw new InputError(`specialTokens is ${String(specialTokens)}, expected an object of strings, or null`);
  }
}

/** @param {unknown} value */
function isTexts(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === "string");
}

/** @param {unknown} id */
function isId(id) {
  return Number.isSafeInteger(id) && Number(id) >= 0;
}

/**
 * @param {string} text
 * @param {URL} url whether it is a tokenizer.json, and not a vocab.json
 * @throws {TokenizerError}
 */
function isTokenizerJson(text, url) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${url.href} is not JSON: expected a tokenizer.json or a vocab.json`, { cause });
  }
  if (typeof value !== "object" || value === null || !("model" in value)) return false;
  return typeof value.model === "object" && value.model !== null;
}

/** @param {URL} url @param {AbortSignal} [signal] */
async function textAt(url, signal) {
  const failed =
    (/** @type {string} */ reason, /** @type {string} */ code) => (/** @type {unknown} */ cause) => {
      signal?.throwIfAborted();
      throw new NetworkError(`${url.href} ${reason}`, { code, cause });
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
    throw new NetworkError(`${url.href} is a web page, not a tokenizer: check the address`, { code: "html" });
  }
  return response.text().catch(failed("is incomplete: the connection was cut", "cut"));
}
