// The lower bound on the number of tokens: never above the number itself, and found without encoding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LibraryTokenizer } from "../../src/text/library_tokenizer.js";
import { TokenBound } from "../../src/text/token_bound.js";
import { milliseconds } from "../support/timeouts.mjs";

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/** The characters that denote bytes, by the steps of LLQ-API-31. */
const CHARACTERS = (() => {
  let more = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isWritten =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    return String.fromCodePoint(isWritten ? byte : more++);
  });
})();

/** Returns a generator of numbers from 0 to below a limit. @param {number} seed */
function random(seed) {
  let state = seed;
  return (/** @type {number} */ limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Returns symbols with merges of them. @param {string[]} symbols @param {number} count @param {number} seed */
function bpe(symbols, count, seed) {
  const draw = random(seed);
  const tokens = [...symbols];
  /** @type {string[][]} */
  const merges = [];
  while (merges.length < count) {
    const pair = [tokens[draw(tokens.length)], tokens[draw(tokens.length)]];
    if (tokens.includes(pair.join("")) || pair.join("").length > 12) continue;
    merges.push(pair);
    tokens.push(pair.join(""));
  }
  return { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}

/** Returns a tokenizer.json. @param {Record<string, any>} members */
function tokenizerJson({ model, ...members }) {
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...members,
    model: { type: "BPE", unk_token: null, fuse_unk: false, byte_fallback: false, ...model },
  };
}

const LETTERS = [..."ab▁é日"];
const BYTE_TOKENS = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);
/** @type {Record<string, object>} */
const TOKENIZERS = {
  "byte level": tokenizerJson({ pre_tokenizer: BYTE_LEVEL, model: bpe(CHARACTERS, 80, 1) }),
  "byte level of few letters": tokenizerJson({
    pre_tokenizer: BYTE_LEVEL,
    model: bpe(["a", "b", "Ġ", "Ã", "©", "æ", "Ĺ", "¥"], 60, 2),
    added_tokens: [{ id: 900, content: "ab ab", special: false, lstrip: true, rstrip: true }],
  }),
  "byte fallback": tokenizerJson({
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    model: { ...bpe([...LETTERS, ...BYTE_TOKENS], 0, 3), ...bpeWithBytes(), byte_fallback: true },
    added_tokens: [{ id: 900, content: "<x>", special: true, lstrip: false, rstrip: false }],
  }),
  "unknown letters joined": tokenizerJson({
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: false },
    model: { ...bpe(["?", "a", "▁"], 9, 4), unk_token: "?", fuse_unk: true },
  }),
};

/** Returns a model of letters, merges of them, and byte tokens. */
function bpeWithBytes() {
  const { vocab, merges } = bpe(LETTERS, 40, 3);
  const size = Object.keys(vocab).length;
  const bytes = Object.fromEntries(BYTE_TOKENS.map((token, byte) => [token, size + byte]));
  return { vocab: { ...vocab, ...bytes }, merges };
}

for (const [name, json] of Object.entries(TOKENIZERS)) {
  test(`${name}: the bound is never above the number of tokens`, () => {
    const tokenizer = new LibraryTokenizer(JSON.stringify(json));
    const bound = new TokenBound(json);
    const draw = random(7);
    const pieces = [..."ab é日\n", "ab ab", "<x>", "aaaaaaaa", "   "];
    let bounded = 0;
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: draw(400) }, () => pieces[draw(pieces.length)]).join("");
      const count = /** @type {number[]} */ (tokenizer.encode({ text })).length;
      for (const limit of [count, count + 1, count + 5]) {
        assert.equal(bound.exceeds(text, limit), false, JSON.stringify({ text, count, limit }));
      }
      const few = Math.floor(count / 8);
      if (few >= 1 && bound.exceeds(text, few)) bounded++;
    }
    assert.ok(bounded > 100, "nothing was bounded");
  });
}

test("a long text without a space is refused without being encoded", {
  timeout: milliseconds(5),
}, () => {
  const bound = new TokenBound(TOKENIZERS["byte level"]);
  const draw = random(9);
  const letters = Array.from({ length: 100_000 }, () => CHARACTERS[0x21 + draw(90)]).join("");
  for (const text of ["a".repeat(100_000), letters]) assert.ok(bound.exceeds(text, 2048));
});

test("a text is not refused where a component may leave characters out", () => {
  const keeping = /** @type {Record<string, any>} */ (TOKENIZERS["byte level"]);
  const text = "a ".repeat(100_000);
  const changes = [
    { normalizer: { type: "Strip", strip_left: true, strip_right: true } },
    { normalizer: { type: "Replace", pattern: { Regex: "a+" }, content: "a" } },
    { normalizer: { type: "Replace", pattern: { String: "a" }, content: "" } },
    { pre_tokenizer: { type: "Whitespace" } },
    {
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { String: "a" }, behavior: "Removed", invert: false },
          BYTE_LEVEL,
        ],
      },
    },
  ];
  assert.ok(new TokenBound(keeping).exceeds(text, 2048));
  for (const change of changes) {
    assert.equal(
      new TokenBound({ ...keeping, ...change }).exceeds(text, 2048),
      false,
      JSON.stringify(change),
    );
  }
});
