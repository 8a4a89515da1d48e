// The text worker is ended at a deadline and at an abort, and the next request starts another one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { beforeDeadline } from "../../src/text/before_deadline.js";
import { Sandbox } from "../../src/text/sandbox.js";
import { Tokenizer } from "../../src/text/tokenizer.js";
import { milliseconds } from "../support/timeouts.mjs";

const LOOP = "{% for a in range(99) %}{{ messages|tojson|length }}{% endfor %}";
const BYTES = Object.fromEntries(Array.from("abc", (letter, id) => [letter, id]));

/** Returns a tokenizer.json whose tokens are three letters. @param {object} [members] */
function letters(members = {}) {
  const model = { type: "BPE", vocab: BYTES, merges: [] };
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: { type: "Fuse" } };
  return JSON.stringify({ version: "1.0", added_tokens: [], ...parts, model, ...members });
}

const BACKTRACKING = letters({
  pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false },
});
const HOSTILE = `${"a".repeat(40)}b`;

test("a regular expression that backtracks ends at the deadline, and the next request is answered", {
  timeout: milliseconds(10),
}, async () => {
  const sandbox = new Sandbox(300);
  const hostile = { key: 1, json: BACKTRACKING };
  const plain = { key: 2, json: letters() };
  const both = [
    sandbox.run(hostile, "encode", { text: HOSTILE }),
    sandbox.run(plain, "encode", { text: "abc" }),
    sandbox.run(hostile, "encode", { text: "ab" }),
  ];
  await assert.rejects(both[0], { name: "TokenizerError", code: "tokenizer", rule: "LLQ-TOK-5" });
  assert.deepEqual(await both[1], [0, 1, 2]);
  assert.deepEqual(await both[2], [0, 1]);
});

test("an abort ends a request that runs, and leaves one that waits undone", {
  timeout: milliseconds(10),
}, async () => {
  const sandbox = new Sandbox();
  const stop = new AbortController();
  const hostile = { key: 1, json: BACKTRACKING };
  await sandbox.run(hostile, "load", null);
  const running = sandbox.run(hostile, "encode", { text: HOSTILE }, { signal: stop.signal });
  const waiting = sandbox.run(hostile, "encode", { text: "a" }, { signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  for (const request of [running, waiting]) await assert.rejects(request, (error) => error === reason);
  assert.deepEqual(await sandbox.run(hostile, "encode", { text: "ab" }), [0, 1]);
});

test("a template that takes long ends at the deadline", { timeout: milliseconds(10) }, async () => {
  const sandbox = new Sandbox(300);
  const messages = Array.from({ length: 50_000 }, () => ({ role: "user", content: "a".repeat(99) }));
  const input = { template: LOOP, messages, specialTokens: {} };
  const request = sandbox.run({ key: 1, json: letters() }, "render", input);
  await assert.rejects(request, { code: "template", rule: "LLQ-TOK-5" });
});

test("the thread is not blocked while a text is encoded", { timeout: milliseconds(20) }, async () => {
  const tokenizer = await Tokenizer.fromJson(letters());
  let ticks = 0;
  const clock = setInterval(() => ticks++, 1);
  const ids = await tokenizer.encode("abc".repeat(300_000));
  clearInterval(clock);
  assert.equal(ids.length, 900_000);
  assert.ok(ticks > 10, `${ticks} ticks`);
});

test("more tokenizers than the worker keeps answer in turn", async () => {
  const tokenizers = await Promise.all(Array.from({ length: 9 }, () => Tokenizer.fromJson(letters())));
  for (let round = 0; round < 2; round++) {
    for (const tokenizer of tokenizers) assert.equal(await tokenizer.decode([2, 1, 0]), "cba");
  }
});

test("what a library cannot read is an error with a code", async () => {
  for (const text of ["", "{", "null", "{}", letters({ model: { type: "X" } }), letters({ decoder: 7 })]) {
    await assert.rejects(Tokenizer.fromJson(text), { name: "TokenizerError", code: "tokenizer" }, text);
  }
});

test("padding and truncation have no effect", async () => {
  const padding = { strategy: { Fixed: 10 ** 10 }, direction: "Right", pad_id: 0, pad_token: "a" };
  const truncation = { max_length: 1, strategy: "LongestFirst", stride: 0, direction: "Right" };
  const tokenizer = await Tokenizer.fromJson(letters({ padding, truncation }));
  assert.deepEqual(await tokenizer.encode("abc"), [0, 1, 2]);
});

test("an answer that came while the thread was busy counts", async () => {
  const answer = new Promise((resolve) => setTimeout(() => resolve("answer"), 20));
  const waiting = beforeDeadline(answer, 10);
  assert.equal(await waiting, "answer");
});
