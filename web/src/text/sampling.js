/**
 * How a token is drawn from logits (spec: Execution program, Sampled choice).
 *
 * The device draws by itself; `choose` does the same in binary64, for tests and for hosts without a device.
 */

/**
 * @typedef {object} Sampling
 * @property {number} temperature 0 is greedy
 * @property {number} topK 0 keeps all
 * @property {number} topP 1 keeps all
 * @property {bigint} seed
 * @property {number} [minP] 0, the default, keeps all
 * @property {number} [repetitionPenalty] of ids of the sequence; 1, the default, has no effect
 * @property {ReadonlyMap<number, number>} [logitBias] what is added to the logits of ids
 */

/** Largest value of a word; a vocabulary has fewer tokens. */
const MAX_WORD = 2 ** 32 - 1;

/** Temperatures below are 0: the largest logit is chosen. */
export const COLDEST = 2 ** -60;

const MASK = 0xffffffffn;

/**
 * Whether a number may be a temperature or topP: at least 0, and finite in binary32 (LLQ-GEN-9).
 *
 * @param {number} value
 */
export function isParameter(value) {
  return value >= 0 && Number.isFinite(Math.fround(value));
}

/**
 * Whether a number may be a repetitionPenalty: above 0, and finite in binary32 (LLQ-GEN-13).
 *
 * @param {number} value
 */
export function isPenalty(value) {
  return Math.fround(value) > 0 && Number.isFinite(Math.fround(value));
}

/** Whether logits are adjusted before a choice. @param {Sampling} sampling */
export function isAdjusted({ temperature, minP = 0, repetitionPenalty = 1, logitBias = new Map() }) {
  const hasMinP = temperature > 0 && Math.fround(minP) > 0;
  return hasMinP || Math.fround(repetitionPenalty) !== 1 || logitBias.size > 0;
}

/**
 * Returns the words of the buffer `sampling` (LLQ-PROG-51); a topK above a word keeps all.
 *
 * @param {Sampling} sampling
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function samplingBytes({ temperature, topK, topP, seed }) {
  const data = new Uint8Array(20);
  const view = new DataView(data.buffer);
  view.setFloat32(0, temperature, true);
  view.setUint32(4, Math.min(topK, MAX_WORD), true);
  view.setFloat32(8, topP, true);
  view.setBigUint64(12, BigInt.asUintN(64, seed), true);
  return data;
}

/**
 * Returns the id of the token at `position` (LLQ-GEN-1, LLQ-GEN-3). The steps have the numbers of the
 * section.
 *
 * @param {Float32Array | Float64Array | number[]} logits
 * @param {Sampling} sampling
 * @param {number} position
 */
export function choose(logits, sampling, position) {
  const temperature = Math.fround(sampling.temperature);
  const topP = Math.fround(sampling.topP);
  let ranked = Array.from(logits, (_, id) => id).sort((a, b) => logits[b] - logits[a] || a - b); // 1
  if (temperature < COLDEST) return ranked[0];
  ranked = ranked.slice(0, sampling.topK || undefined); // 2
  let weights = ranked.map((id) => Math.exp((logits[id] - logits[ranked[0]]) / temperature)); // 3
  if (topP < 1) {
    const share = topP * total(weights); // 4
    const last = firstAbove(weights, (sum) => sum >= share);
    ranked = ranked.slice(0, last + 1);
    weights = weights.slice(0, last + 1);
  }
  const candidates = ranked.map((id, i) => ({ id, weight: weights[i] })).sort((a, b) => a.id - b.id);
  const inOrder = candidates.map(({ weight }) => weight);
  const share = uniform(sampling.seed, position) * total(inOrder); // 5
  const drawn = firstAbove(inOrder, (sum) => sum > share); // 6
  return candidates[drawn === -1 ? candidates.length - 1 : drawn].id;
}

/** @param {number[]} weights */
function total(weights) {
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/**
 * @param {number[]} weights
 * @param {(sum: number) => boolean} isEnough the first index whose running sum is enough, or -1
 */
function firstAbove(weights, isEnough) {
  let sum = 0;
  return weights.findIndex((weight) => {
    sum += weight;
    return isEnough(sum);
  });
}

/**
 * Returns the random number of a position, a multiple of 2^-24 below 1 (step 5).
 *
 * @param {bigint} seed
 * @param {number} position
 */
export function uniform(seed, position) {
  return (philox(position, seed)[0] >>> 8) * 2 ** -24;
}

/**
 * Returns the words of Philox4x32-10 for counter (position, 0, 0, 0) and a key of 64 bits.
 *
 * @param {number} position
 * @param {bigint} seed
 * @returns {number[]}
 */
export function philox(position, seed) {
  let counter = [BigInt(position >>> 0), 0n, 0n, 0n];
  let key = [seed & MASK, (seed >> 32n) & MASK];
  for (let round = 0; round < 10; round++) {
    const x = 0xd2511f53n * counter[0];
    const z = 0xcd9e8d57n * counter[2];
    counter = [(z >> 32n) ^ counter[1] ^ key[0], z & MASK, (x >> 32n) ^ counter[3] ^ key[1], x & MASK];
    key = [(key[0] + 0x9e3779b9n) & MASK, (key[1] + 0xbb67ae85n) & MASK];
  }
  return counter.map(Number);
}
