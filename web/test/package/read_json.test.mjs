// What is read without the strict parser is read as the strict parser reads it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readStrictly } from "../../src/package/canonical_json.js";
import { MAX_DEPTH, readJson } from "../../src/package/read_json.js";

const RULES = {
  encoding: "encoding",
  depth: "depth",
  syntax: "syntax",
  duplicate: "duplicate",
  number: "number",
  surrogate: "surrogate",
};
const nested = (/** @type {number} */ depth) => "[".repeat(depth) + "]".repeat(depth);
const TEXTS = [
  ...["null", "0", "-1", '"a"', "[]", "{}", '{"a":1,"b":[true,{"c":null}]}', '{"":0,"__proto__":1}', "1e+21"],
  ...["1.5", "9007199254740991", "9007199254740992", "9007199254740993", "1e400", "-0", "1.0", "1E2", "01"],
  ...['{"b":1,"a":2}', '{"a":1,"a":2}', '{"10":1,"9":2}', '{"9":1,"10":2}', '{"a":1,"B":2}', '{"é":1,"𝄞":2}'],
  ...['{"\uFFFD":1,"𝄞":2}', '{"𝄞":1,"\uFFFD":2}', '"\\ud800"', '{"\\ud800":1}', '"\\u00e9"', '"é"', '"\\/"'],
  ...[" 1", "1 ", "1 2", "", "{", '"\n"', '{"a":1,}', "\uFEFF1", nested(MAX_DEPTH), nested(MAX_DEPTH + 1)],
  ...[nested(100_000), '{"a":{"b":{"b":1,"a":2}}}', '[{"a":1.0}]', "[1e21,123456789012345680000]"],
];

/** Returns what a reader makes of bytes. @param {() => unknown} read */
async function outcome(read) {
  try {
    const { value, isCanonical } = /** @type {{value: unknown, isCanonical: boolean}} */ (await read());
    return { value, isCanonical };
  } catch (error) {
    return { rule: /** @type {{rule: string}} */ (error).rule };
  }
}

test("every text is read alike", async () => {
  for (const text of TEXTS) {
    const data = new TextEncoder().encode(text);
    const expected = await outcome(() => readStrictly(data, "x.json", RULES, MAX_DEPTH));
    assert.deepEqual(await outcome(() => readJson(data, "x.json", RULES)), expected, text.slice(0, 80));
  }
});

test("bytes that are not UTF-8 are refused", async () => {
  for (const bytes of [[0xff], [0x22, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]]) {
    assert.deepEqual(await outcome(() => readJson(new Uint8Array(bytes), "x.json", RULES)), {
      rule: "encoding",
    });
  }
});

test("canonical integers are those that are written as digits alone", async () => {
  const data = new TextEncoder().encode('{"a":5,"b":1e+21,"c":0.5}');
  const { value, writtenAsInteger } = await readJson(data, "x.json", RULES);
  const object = /** @type {object} */ (value);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => writtenAsInteger(object, key)),
    [true, false, false],
  );
});
