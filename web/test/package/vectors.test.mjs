// Packages of the vectors that break a rule of metadata, module or program are refused before a byte is uploaded.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { directorySource } from "../../harness/directory_source.js";
import { directory } from "../../node/directory.js";
import { PackageError } from "../../src/errors.js";
import { upload } from "../../src/gpu/upload.js";
import { readExecution } from "../../src/gpu/execution.js";
import { Package } from "../../src/net/package.js";
import { readModule } from "../../src/package/module.js";
import { validate } from "../../src/package/validate.js";
import { memoryDevice } from "../support/memory_device.mjs";

const VECTORS = new URL("../../../vectors/", import.meta.url);
const { vectors } = JSON.parse(readFileSync(new URL("index.json", VECTORS), "utf8"));

/** Does what loadModel does with a device that only holds buffers; without a program, all shards are read. */
async function open(path) {
  const opened = await Package.open(directorySource(directory(path)));
  const { metadata } = opened;
  if (metadata.module !== undefined && metadata.program === undefined)
    readModule(await opened.readFile(metadata.module));
  const weights = new Map(metadata.shards.map((_, shard) => [String(shard), { shard }]));
  const program = metadata.program ? (await readExecution(opened)).program : { weights, buffers: new Map() };
  await upload(opened, memoryDevice(), program);
}

/** The vectors whose first fault is of some rules; what no file can hold is set up by the suite, and not here. */
const faulty = (rules) =>
  vectors.filter((one) => one.kind === "invalid" && one.setup.length === 0 && rules.test(one.rules[0]));

/** Returns the rule for which a package is refused, null where it is not. */
async function refusal({ path }) {
  try {
    await open(fileURLToPath(new URL(path, VECTORS)));
    return null;
  } catch (error) {
    assert.ok(error instanceof PackageError, `${path}: ${error.stack}`);
    return error.rule;
  }
}

test("every conforming package is opened", async () => {
  const valid = vectors.filter(({ kind }) => kind === "valid");
  assert.ok(valid.length > 100);
  for (const vector of valid) assert.equal(await refusal(vector), null, vector.id);
});

test("every package with a fault in module or program is refused, by the rule of its first fault", async () => {
  const wrong = faulty(/^LLQ-(WGSL|PROG)-/);
  assert.ok(wrong.length > 100);
  for (const vector of wrong) assert.equal(await refusal(vector), vector.rules[0], vector.id);
});

test("every package with a fault in its bytes is refused when it is loaded, by the rule of its first fault", async () => {
  const wrong = faulty(/^LLQ-(?!PKG-[6-9]|HASH-2)/);
  // faults in two parts: each part is judged by itself, as it comes
  const several = new Set(["raw-padding-before-a-slot", "raw-value-before-bound", "record-before-preamble"]);
  assert.ok(wrong.length > 800);
  for (const vector of wrong) {
    const rule = await refusal(vector);
    if (several.has(vector.id)) assert.notEqual(rule, null, vector.id);
    else assert.equal(rule, vector.rules[0], vector.id);
  }
});

test("every package is judged by the rule of its first fault when it is validated", async () => {
  const judged = vectors.filter(
    ({ kind, setup }) => kind === "valid" || (kind === "invalid" && setup.length === 0),
  );
  assert.ok(judged.length > 1000);
  for (const vector of judged) {
    const { rule, warnings } = await validate(directory(fileURLToPath(new URL(vector.path, VECTORS))));
    assert.equal(rule, vector.kind === "valid" ? null : vector.rules[0], vector.id);
    if (vector.kind === "valid") assert.deepEqual(warnings, vector.warnings, vector.id);
  }
});
