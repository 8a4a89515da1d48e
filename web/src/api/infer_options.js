/** The options of `infer` and `stream` (spec: Runtime API). */

import { InputError } from "../errors.js";
import { isParameter, isPenalty } from "../text/sampling.js";
import { StopStrings } from "../text/stop_strings.js";
import { checkCount } from "./options.js";

/**
 * @typedef {object} InferOptions
 * @property {number} [maxTokens] 128 by default
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [topK] 0 keeps all
 * @property {number} [topP] 1 keeps all
 * @property {number} [minP] the smallest weight relative to that of the most probable token; 0 keeps all
 * @property {number} [repetitionPenalty] of tokens of the prompt and of the answer; 1 has no effect
 * @property {Readonly<Record<number, number>>} [logitBias] what is added to the logits of ids
 * @property {number} [logprobs] number of the most probable tokens that a stream reports with each token
 * @property {import("../text/generation.js").MaskHook} [mask] gives the ids that are allowed next, as bits
 * @property {number | bigint} [seed] of 64 bits; random by default
 * @property {string | string[]} [stop] strings that end the answer; they are not part of it
 * @property {AbortSignal} [signal] aborting rejects with an AbortError; what was yielded stays
 */
/**
 * @typedef {object} InferSettings options without gaps
 * @property {number} maxTokens
 * @property {import("../text/sampling.js").Sampling} sampling
 * @property {number | undefined} logprobs
 * @property {import("../text/generation.js").MaskHook | undefined} mask
 * @property {StopStrings} stops
 * @property {AbortSignal | undefined} signal
 */

const MAX_TOKENS = 128;

/** The names of all options. @satisfies {readonly (keyof InferOptions)[]} */
export const INFER_OPTIONS = [
  "maxTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "logitBias",
  "seed",
  "stop",
  "logprobs",
  "mask",
  "signal",
];

/**
 * Checks options, and adds those that are missing.
 *
 * @param {InferOptions} options
 * @returns {InferSettings}
 * @throws {InputError}
 */
export function inferSettings({ maxTokens = MAX_TOKENS, temperature = 0, topK = 0, topP = 1, ...options }) {
  const { minP = 0, repetitionPenalty = 1, logitBias = {}, logprobs, mask, seed, stop, signal } = options;
  checkCount(maxTokens, "maxTokens", 0);
  expect(isParameter(temperature), "temperature", "a number from 0 on", temperature);
  checkCount(topK, "topK", 0);
  expect(isParameter(topP) && topP <= 1, "topP", "a number from 0 to 1", topP);
  expect(typeof minP === "number" && minP >= 0 && minP <= 1, "minP", "a number from 0 to 1", minP);
  expect(isPenalty(repetitionPenalty), "repetitionPenalty", "a number above 0", repetitionPenalty);
  checkCount(logprobs, "logprobs", 0);
  expect(mask === undefined || typeof mask === "function", "mask", "a function", mask);
  expect(isSeed(seed), "seed", "a whole number or a bigint", seed);
  const bits = seed === undefined ? crypto.getRandomValues(new BigUint64Array(1))[0] : BigInt(seed);
  return {
    maxTokens,
    sampling: {
      ...{ temperature, topK, topP, minP, repetitionPenalty },
      ...{ logitBias: biases(logitBias), seed: BigInt.asUintN(64, bits) },
    },
    logprobs,
    mask,
    stops: new StopStrings(stop),
    signal,
  };
}

/** @param {boolean} valid @param {string} name @param {string} expected @param {unknown} value */
function expect(valid, name, expected, value) {
  if (!valid) throw new InputError(`${name} is ${String(value)}, expected ${expected}`);
}

/**
 * Returns biases by id.
 *
 * @param {unknown} logitBias
 * @returns {Map<number, number>}
 * @throws {InputError}
 */
function biases(logitBias) {
  const isObject = typeof logitBias === "object" && logitBias !== null;
  expect(isObject, "logitBias", "an object of ids and numbers", logitBias);
  const entries = Object.entries(/** @type {Record<string, unknown>} */ (logitBias));
  for (const [id, bias] of entries) {
    expect(/^(0|[1-9]\d{0,9})$/.test(id), "an id of logitBias", "a token id", id);
    const isBias = typeof bias === "number" && Number.isFinite(Math.fround(bias));
    expect(isBias, `logitBias of ${id}`, "a number that is finite in binary32", bias);
  }
  return new Map(entries.map(([id, bias]) => [Number(id), Number(bias)]));
}

/** @param {unknown} value */
function isSeed(value) {
  return value === undefined || typeof value === "bigint" || Number.isSafeInteger(value);
}
