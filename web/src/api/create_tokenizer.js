/** Tokenizers from an address of their own (spec: Runtime API). */

import { InputError, NetworkError, TokenizerError } from "../errors.js";
import { checkStatus } from "../net/http_response.js";
import { Tokenizer } from "../text/tokenizer.js";
import { absoluteUrl, endpointsOf, REQUEST_OPTIONS } from "./addresses.js";
import { optionsOf } from "./options.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("../net/endpoint.js").Endpoint} Endpoint */
/** @typedef {import("../text/tokenizer.js").TokenizerOptions} TokenizerOptions */
/** @typedef {import("./addresses.js").RequestOptions} RequestOptions */

/** The names of all options. */
const TOKENIZER_OPTIONS = [
  "bosTokenId",
  "eosTokenIds",
  "chatTemplate",
  "specialTokens",
  "signal",
  ...REQUEST_OPTIONS,
];

/**
 * Loads a tokenizer: a tokenizer.json, or a vocab.json of byte-level BPE with a merges.txt next to it.
 *
 * @param {string | URL} vocabUrl
 * @param {TokenizerOptions & RequestOptions & {signal?: AbortSignal}} [options]
 * @returns {Promise<Tokenizer>}
 * @throws {TokenizerError | NetworkError}
 */
export async function createTokenizer(vocabUrl, options) {
  const { signal, fetch, headers, credentials, ...settings } = optionsOf(options, TOKENIZER_OPTIONS);
  checkSettings(settings);
  const url = absoluteUrl(vocabUrl, "a tokenizer");
  const directory = { url: new URL(".", url).href, query: url.search };
  const [endpoint] = endpointsOf([directory], { fetch, headers, credentials });
  const name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  signal?.throwIfAborted();
  return unlessAborted(tokenizerAt(endpoint, name, settings, signal), signal);
}

/**
 * @param {Endpoint} endpoint
 * @param {string} name of the file
 * @param {TokenizerOptions} settings
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<Tokenizer>}
 */
async function tokenizerAt(endpoint, name, settings, signal) {
  const text = await textAt(endpoint, name, signal);
  if (isTokenizerJson(text, endpoint.url + name)) return Tokenizer.fromJson(text, settings, signal);
  return Tokenizer.fromVocab(text, await textAt(endpoint, "merges.txt", signal), settings, signal);
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
 * Returns whether a text is a tokenizer.json, and not a vocab.json.
 *
 * @param {string} text
 * @param {string} url for messages
 * @throws {TokenizerError}
 */
function isTokenizerJson(text, url) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${url} is not JSON: expected a tokenizer.json or a vocab.json`, { cause });
  }
  if (typeof value !== "object" || value === null || !("model" in value)) return false;
  return typeof value.model === "object" && value.model !== null;
}

/** @param {Endpoint} endpoint @param {string} name @param {AbortSignal} [signal] */
async function textAt(endpoint, name, signal) {
  const url = endpoint.url + name;
  const response = await endpoint.request(name, { signal }).catch((error) => {
    signal?.throwIfAborted();
    throw error;
  });
  checkStatus(response, url);
  return response.text().catch((error) => {
    signal?.throwIfAborted();
    const cause = endpoint.withoutSecrets(error);
    throw new NetworkError(`${url} is incomplete: the connection was cut`, { code: "cut", cause });
  });
}
