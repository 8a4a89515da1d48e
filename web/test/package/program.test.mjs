// Programs at the limits of program.schema.json, and one step above them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { canonical } from "../../src/package/canonical_json.js";
import { packagePath } from "../support/packages.mjs";
import { programOf } from "../support/programs.mjs";

/** @typedef {import("../../src/package/json.js").Json} Json */
/** @typedef {import("../../src/package/program_types.js").ProgramFile} ProgramFile */
/** @template T @typedef {{-readonly [K in keyof T]: T[K] extends object ? Mutable<T[K]> : T[K]}} Mutable */
/** @typedef {(program: Mutable<ProgramFile>) => void} Change */

const { data, ruleOf } = await programOf(packagePath("large"));
const BUFFER = { bytes: 4, bytes_per_position: 0, init: "zero", purpose: "activation" };

/** Returns the rule that the program breaks after a change. @param {Change} change */
async function ruleAfter(change) {
  const program = JSON.parse(new TextDecoder().decode(data));
  change(program);
  return ruleOf(new TextEncoder().encode(canonical(program)));
}

/** Returns different texts. @param {number} count @param {(index: number) => string} text */
function texts(count, text) {
  return Array.from({ length: count }, (_, index) => text(index));
}

/** Adds buffers until there are a number of them. @param {number} count @returns {Change} */
function withBuffers(count) {
  return (program) => {
    for (let index = Object.keys(program.buffers).length; index < count; index++) {
      Object.assign(program.buffers, { [`more_${index}`]: BUFFER });
    }
  };
}

/** Sets members of the last variant, which may have features. @param {object} members @returns {Change} */
function inVariant(members) {
  return ({ variants }) => void Object.assign(variants[variants.length - 1], members);
}

/** Sets members of the first dispatch of decode. @param {object} members @returns {Change} */
function inDispatch(members) {
  return ({ passes }) => void Object.assign(passes.decode[0], members);
}

/** @type {[string, Change, string | null][]} */
const CASES = [
  ["the program as it is", () => {}, null],
  ["64 features", inVariant({ features: texts(64, (i) => `f${i}`) }), null],
  ["65 features", inVariant({ features: texts(65, (i) => `f${i}`) }), "LLQ-PROG-3"],
  ["a feature of 200 characters", inVariant({ features: ["f".repeat(200)] }), null],
  ["a feature of 201 characters", inVariant({ features: ["f".repeat(201)] }), "LLQ-PROG-3"],
  ["a feature twice", inVariant({ features: ["f", "f"] }), "LLQ-PROG-3"],
  ["65 language features", inVariant({ language: texts(65, (i) => `f${i}`) }), "LLQ-PROG-3"],
  ["64 directives", inVariant({ directives: texts(64, (i) => `enable f${i};`) }), null],
  ["65 directives", inVariant({ directives: texts(65, (i) => `enable f${i};`) }), "LLQ-PROG-3"],
  ["a directive that ends with a line feed", inVariant({ directives: ["enable f;\n"] }), "LLQ-PROG-3"],
  ["a name of 65 characters", inVariant({ name: "n".repeat(65) }), "LLQ-PROG-3"],
  ["no sections", inVariant({ sections: [] }), "LLQ-PROG-3"],
  ["65,536 buffers", withBuffers(65_536), null],
  ["65,537 buffers", withBuffers(65_537), "LLQ-PROG-3"],
  ["no pipelines", (program) => void Object.assign(program, { pipelines: {} }), "LLQ-PROG-3"],
  [
    "1,025 pipelines",
    ({ pipelines }) =>
      void Object.assign(
        pipelines,
        Object.fromEntries(texts(1025, (i) => `p${i}`).map((name) => [name, ["read"]])),
      ),
    "LLQ-PROG-3",
  ],
  [
    "a pipeline of 9 bindings",
    ({ pipelines }) => void Object.assign(pipelines, { p: Array(9).fill("read") }),
    "LLQ-PROG-4",
  ],
  [
    "an access that does not exist",
    ({ pipelines }) => void Object.assign(pipelines, { p: ["write"] }),
    "LLQ-PROG-3",
  ],
  ["a dispatch of 9 bindings", inDispatch({ bindings: Array(9).fill("tokens") }), "LLQ-PROG-4"],
  ["a label without characters", inDispatch({ label: "" }), "LLQ-PROG-3"],
  ["a label of 161 characters", inDispatch({ label: "l".repeat(161) }), "LLQ-PROG-3"],
  ["no workgroups", inDispatch({ workgroups: [0, 1, 1] }), "LLQ-PROG-4"],
  ["65,536 workgroups", inDispatch({ workgroups: [65_536, 1, 1] }), "LLQ-PROG-4"],
  ["half a workgroup", inDispatch({ workgroups: [0.5, 1, 1] }), "LLQ-PROG-3"],
  ["two dimensions", inDispatch({ workgroups: [1, 1] }), "LLQ-PROG-3"],
  ["workgroups of 0 tokens", inDispatch({ workgroups: [{ tokens_per_workgroup: 0 }, 1, 1] }), "LLQ-PROG-3"],
  ["a dimension without its member", inDispatch({ workgroups: [{}, 1, 1] }), "LLQ-PROG-3"],
  ["a pass without dispatches", ({ passes }) => void Object.assign(passes, { last: [] }), "LLQ-PROG-3"],
  [
    "a pass that does not exist",
    ({ passes }) => void Object.assign(passes, { first: passes.last }),
    "LLQ-PROG-3",
  ],
  [
    "a name of 161 characters",
    ({ buffers }) => void Object.assign(buffers, { ["b".repeat(161)]: BUFFER }),
    "LLQ-PROG-3",
  ],
  [
    "a buffer that is too large",
    ({ buffers }) => void Object.assign(buffers, { b: { ...BUFFER, bytes: 134_217_729 } }),
    "LLQ-PROG-4",
  ],
  [
    "a buffer of a fraction",
    ({ buffers }) => void Object.assign(buffers, { b: { ...BUFFER, bytes: 4.5 } }),
    "LLQ-PROG-3",
  ],
  [
    "a range at an odd offset",
    ({ weights }) => void Object.assign(weights, { w: { offset: 300, shard: 0, size: 4 } }),
    "LLQ-PROG-4",
  ],
  [
    "a range of 6 bytes",
    ({ weights }) => void Object.assign(weights, { w: { offset: 256, shard: 0, size: 6 } }),
    "LLQ-PROG-4",
  ],
  [
    "a shard that the schema excludes",
    ({ weights }) => void Object.assign(weights, { w: { offset: 256, shard: 99_999, size: 4 } }),
    "LLQ-PROG-3",
  ],
  [
    "a shard that does not exist",
    ({ weights }) => void Object.assign(weights, { w: { offset: 256, shard: 99_998, size: 4 } }),
    "LLQ-PROG-11",
  ],
  ["65 words", ({ parameters }) => void Object.assign(parameters, { 0: Array(65).fill(0) }), "LLQ-PROG-3"],
  [
    "a word above 32 bits",
    ({ parameters }) => void Object.assign(parameters, { 0: [2 ** 32] }),
    "LLQ-PROG-3",
  ],
  [
    "a word above binary32",
    ({ parameters }) => void Object.assign(parameters, { 0: [{ f32: 3.5e38 }] }),
    "LLQ-PROG-3",
  ],
  ["another version", (program) => void Object.assign(program, { version: "1.1" }), "LLQ-PROG-3"],
  ["a member that does not exist", (program) => void Object.assign(program, { extra: 1 }), "LLQ-PROG-3"],
];

for (const [name, change, rule] of CASES) {
  test(name, async () => assert.equal(await ruleAfter(change), rule));
}

test("a root that is not an object", async () => {
  assert.equal(await ruleOf(new TextEncoder().encode("[]")), "LLQ-PROG-3");
});

test("a program that is not canonical, whatever else is wrong with it", async () => {
  assert.equal(await ruleOf(new TextEncoder().encode('{"version": 2}')), "LLQ-PROG-2");
});
