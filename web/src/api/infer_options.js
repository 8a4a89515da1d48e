/** The options of `infer` and `stream` (spec: Runtime API). */

import { InputError } from "../errors.js";
import { isParameter } from "../text/sampling.js";
import { StopStrings } from "../text/stop_strings.js";
import { checkCount } from "./options.js";

/**
 * @typedef {object} InferOptions
 * @property {number} [maxTokens] 128 by default
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [topK] 0 keeps all
 * @property {number} [topP] 1 keeps all
 * @property {number | bigint} [seed] of 64 bits; random by default
 * @property {string | string[]} [stop] strings that end the answer; they are not part of it
 * @property {AbortSignal} [signal] aborting rejects with an AbortError; what was yielded stays
 */
/**
 * @typedef {object} InferSettings options without gaps
 * @property {number} maxTokens
 * @property {import("../text/sampling.js").Sampling} sampling
 * @property {StopStrings} stops
 * @property {AbortSignal | undefined} signal
 */

const MAX_TOKENS = 128;

/** The names of all options. @satisfies {readonly (keyof InferOptions)[]} */
export const INFER_OPTIONS = ["maxTokens", "temperature", "topK", "topP", "seed", "stop", "signal"];

/**
 * Checks options, and adds those that are missing.
 *
 * @param {InferOptions} options
 * @returns {InferSettings}
 * @throws {InputError}
 */
export function inferSettings({ maxTokens = MAX_TOKENS, temperature = 0, topK = 0, topP = 1, ...options }) {
  const { seed, stop, signal } = options;
  checkCount(maxTokens, "maxTokens", 0);
  expect(isParameter(temperature), "temperature", "a number from 0 on", temperature);
  checkCount(topK, "topK", 0);
  expect(isParameter(topP) && topP <= 1, "topP", "a number from 0 to 1", topP);
  expect(isSeed(seed), "seed", "a whole number or a bigint", seed);
  const bits = seed === undefined ? crypto.getRandomValues(new BigUint64Array(1))[0] : BigInt(seed);
  return {
    maxTokens,
    sampling: { temperature, topK, topP, seed: BigInt.asUintN(64, bits) },
    stops: new StopStrings(stop),
    signal,
  };
}

/** @param {boolean} valid @param {string} name @param {string} expected @param {unknown} value */
function expect(valid, name, expected, value) {
  if (!valid) throw new InputError(`${name} is ${String(value)}, expected ${expected}`);
}

/** @param {unknown} value */
function isSeed(value) {
  return value === undefined || typeof value === "bigint" || Number.isSafeInteger(value);
}
