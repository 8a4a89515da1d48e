// Pieces of text never split a character, and stop texts are found across them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inferSettings } from "../../src/api/infer_options.js";
import { InputError } from "../../src/errors.js";
import { StopStrings } from "../../src/text/stop_strings.js";
import { TextPieces } from "../../src/text/text_pieces.js";
import { TextStream } from "../../src/text/text_stream.js";
import { disguised } from "../support/disguise.mjs";

/** Tokens are bytes. */
const bytewise = {
  decode: async (/** @type {readonly number[]} */ ids) => new TextDecoder().decode(new Uint8Array(ids)),
};

test("a character comes whole, however its bytes come", async () => {
  const text = `grün 🦙 ${"llama ".repeat(20)}€ 日本語 ${"é".repeat(100)} 👩‍💻`;
  const pieces = new TextPieces(bytewise);
  const shown = [];
  for (const byte of new TextEncoder().encode(text)) shown.push(await pieces.push(byte));
  assert.equal(shown.join("") + (await pieces.end()), text);
  assert.ok(shown.every((piece) => !piece.includes("\uFFFD") && piece.isWellFormed()));
});

test("an answer that ends within a character shows what there is", async () => {
  const pieces = new TextPieces(bytewise);
  assert.equal(await pieces.push(0x61), "a");
  assert.equal(await pieces.push(0xf0), "");
  assert.equal(await pieces.end(), "\uFFFD");
});

test("stop texts are found across pieces and left out", () => {
  const stops = new StopStrings(["</s>", "\n\n"]);
  const shown = ["Hello", " <", "/b", "> a", "\n", "b </", "s> more"].map((piece) => stops.push(piece));
  assert.equal(shown.join("") + stops.end(), "Hello </b> a\nb ");
  assert.ok(stops.complete);
});

test("of several stop texts the one that is complete first ends the answer, however its tokens are cut", () => {
  const cases = [
    [["abcd", "bc"], "a"],
    [["bc", "abc"], ""],
    [["bcx", "cd"], "ab"],
  ];
  for (const [texts, shown] of cases) {
    for (const pieces of [["abcd"], ["a", "b", "c", "d"], ["ab", "cd"], ["a", "bcd"]]) {
      const stops = new StopStrings(texts);
      const text = pieces.map((piece) => (stops.complete ? "" : stops.push(piece))).join("");
      assert.deepEqual([text, stops.complete], [shown, true], `${texts} in ${pieces}`);
    }
  }
});

test("what only began like a stop text is shown in the end", () => {
  const stops = new StopStrings("###");
  assert.equal(stops.push("a##"), "a");
  assert.equal(stops.end(), "##");
  assert.ok(!stops.complete);
});

test("invalid options are refused", () => {
  const invalid = [
    { maxTokens: -1 },
    { temperature: NaN },
    { topK: 1.5 },
    { topP: 2 },
    { seed: 0.5 },
    { stop: [""] },
    { stop: null },
    { temperature: Infinity },
  ];
  for (const options of invalid) {
    assert.throws(() => inferSettings(disguised(options)), InputError, JSON.stringify(options));
  }
  assert.equal(inferSettings({ seed: -1 }).sampling.seed, 2n ** 64n - 1n);
});

test("a stream reports why it ended, and ends the generation when its reader leaves", async () => {
  let ended = false;
  /** @type {import("../../src/text/text_stream.js").Answer} */
  const answer = async function* () {
    try {
      yield "a";
      yield "b";
      return "length";
    } finally {
      ended = true;
    }
  };
  const whole = new TextStream(undefined, answer);
  const pieces = [];
  for await (const piece of whole) pieces.push(piece);
  assert.deepEqual([pieces, whole.finishReason], [["a", "b"], "length"]);
  ended = false;
  const left = new TextStream(undefined, answer);
  for await (const piece of left) if (piece === "a") break;
  assert.ok(ended);
  assert.equal(left.finishReason, "aborted");
});
