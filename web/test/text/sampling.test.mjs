// The examples of chapter Execution program, Sampled choice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checkMask } from "../../src/text/adjuster.js";
import { tokenLogprobs } from "../../src/text/log_probabilities.js";
import { choose, isAdjusted, isPenalty, philox, samplingBytes, uniform } from "../../src/text/sampling.js";

const LOGITS = [1, 3, 2, 3, -1, 0.5];
/** @type {[number, number, number, bigint, number, number, number, number][]} */
const EXAMPLES = [
  [1, 0, 1, 0n, 0, 0x6627e8d5, 0.399046, 1],
  [1, 0, 1, 0n, 5, 0x734893fb, 0.450326, 2],
  [1, 0, 1, 7n, 0, 0xf4607a2d, 0.954597, 3],
  [1, 0, 1, 7n, 5, 0x56af56bc, 0.338613, 1],
  [0.5, 1, 1, 7n, 0, 0xf4607a2d, 0.954597, 1],
  [0.5, 3, 1, 7n, 0, 0xf4607a2d, 0.954597, 3],
  [2, 0, 0.25, 7n, 0, 0xf4607a2d, 0.954597, 1],
  [2, 0, 0.75, 3n, 9, 0x7557d42d, 0.458371, 2],
  [4, 4, 0.9, 18446744073709551615n, 6, 0x63d996e2, 0.390039, 1],
  [4, 0, 1, 4294967296n, 12, 0xb2341d08, 0.696108, 3],
];

test("Philox of zeros", () => {
  assert.deepEqual(philox(0, 0n), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
});

test("the table", () => {
  for (const [temperature, topK, topP, seed, position, a, u, token] of EXAMPLES) {
    assert.equal(philox(position, seed)[0], a);
    assert.equal(uniform(seed, position).toFixed(6), u.toFixed(6));
    assert.equal(choose(LOGITS, { temperature, topK, topP, seed }, position), token);
  }
});

test("temperature 0 is greedy, the lowest id first", () => {
  assert.equal(choose(LOGITS, { temperature: 0, topK: 0, topP: 1, seed: 5n }, 3), 1);
});

test("the words of the buffer", () => {
  const bytes = samplingBytes({ temperature: 0.5, topK: 3, topP: 1, seed: 0x100000002n });
  assert.deepEqual([...new Uint32Array(bytes.buffer)], [0x3f000000, 3, 0x3f800000, 2, 1]);
});

test("logits are adjusted where an option asks for it", () => {
  const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0n };
  assert.equal(isAdjusted(greedy), false);
  assert.equal(isAdjusted({ ...greedy, minP: 0.5 }), false); // which has no effect on greedy choice
  assert.equal(isAdjusted({ ...greedy, temperature: 1, minP: 0.5 }), true);
  assert.equal(isAdjusted({ ...greedy, repetitionPenalty: 1.1 }), true);
  assert.equal(isAdjusted({ ...greedy, logitBias: new Map([[3, 1]]) }), true);
});

test("a penalty is above 0 and finite in binary32", () => {
  const values = [0.5, 1e38, 0, -1, 1e-46, 1e39, Number.NaN];
  assert.deepEqual(values.map(isPenalty), [true, true, false, false, false, false, false]);
});

test("a mask has the words of the vocabulary and an allowed id", () => {
  checkMask(Uint32Array.of(0, 0, 0b10), 66);
  checkMask(Uint32Array.of(2 ** 31), 32);
  const bad = [Uint32Array.of(0, 0, 0b100), Uint32Array.of(1), new Uint32Array(3), [1, 1, 1], undefined];
  for (const mask of bad) assert.throws(() => checkMask(mask, 66), { code: "input" });
});

test("log-probabilities are those of a softmax", () => {
  const logits = Float32Array.of(1, 3, 2, 3, -1);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  const { token, logprob, top } = tokenLogprobs(logits, 2, 3);
  assert.equal(token, 2);
  assert.ok(Math.abs(logprob - (2 - Math.log(sum))) < 1e-12);
  assert.deepEqual(
    top.map((one) => one.token),
    [1, 3, 2],
  );
  assert.deepEqual(tokenLogprobs(logits, 4, 0).top, []);
  assert.equal(tokenLogprobs(logits, 4, 9).top.length, 5);
});
