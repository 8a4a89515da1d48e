// Packages of the vectors that break a rule of metadata, module or program are refused before a byte is
// uploaded.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { directorySource } from "../../harness/directory_source.js";
import { directory } from "../../node/directory.js";
import { PackageError } from "../../src/errors.js";
import { readExecution } from "../../src/gpu/execution.js";
import { upload } from "../../src/gpu/upload.js";
import { Package } from "../../src/net/package.js";
import { readModule } from "../../src/package/module.js";
import { validate } from "../../src/package/validate.js";
import { memoryDevice } from "../support/memory_device.mjs";

const VECTORS = new URL("../../../vectors/data/", import.meta.url);
/**
 * @typedef {{id: string, kind: string, path: string, rules: string[], setup: object[], warnings: string[]}}
 *   Vector
 */
/** @type {{vectors: Vector[]}} */
const { vectors } = JSON.parse(readFileSync(new URL("index.json", VECTORS), "utf8"));

/** Opens a package as loadModel does, on a device that only holds buffers. @param {string} path */
async function open(path) {
  const opened = await Package.open(directorySource(directory(path)));
  const { metadata } = opened;
  if (metadata.program !== undefined) {
    await upload(opened, memoryDevice(), (await readExecution(opened)).program);
    return;
  }
  if (metadata.module !== undefined) readModule(await opened.readFile(metadata.module));
  const weights = new Map(metadata.shards.map((_, shard) => [`${shard}`, { shard, offset: 0, size: 0 }]));
  await upload(opened, memoryDevice(), { weights, buffers: new Map() });
}

/**
 * Returns the invalid packages whose first error is of some rules, except those that only the suite can set
 * up.
 */
function faulty(/** @type {RegExp} */ rules) {
  return vectors.filter(
    ({ kind, setup, rules: [rule] }) => kind === "invalid" && setup.length === 0 && rules.test(rule),
  );
}

/** Returns the rule for which a package is refused, null where it is not. @param {Vector} vector */
async function refusal({ path }) {
  try {
    await open(fileURLToPath(new URL(path, VECTORS)));
    return null;
  } catch (error) {
    assert.ok(error instanceof PackageError, `${path}: ${error}`);
    return error.rule;
  }
}

test("every conforming package is opened", async () => {
  const valid = vectors.filter(({ kind }) => kind === "valid");
  assert.ok(valid.length > 100);
  for (const vector of valid) assert.equal(await refusal(vector), null, vector.id);
});

test("every package with an error in module or program is refused, by the rule of its first error", async () => {
  const invalid = faulty(/^LLQ-(WGSL|PROG)-/);
  assert.ok(invalid.length > 100);
  for (const vector of invalid) assert.equal(await refusal(vector), vector.rules[0], vector.id);
});

test("every package with an error in its bytes is refused when it is loaded, by the rule of its first error", async () => {
  const invalid = faulty(/^LLQ-(?!PKG-[6-9]|HASH-2)/);
  // errors in two parts: each part is checked by itself, as it comes
  const several = new Set(["raw-padding-before-a-slot", "raw-value-before-bound", "record-before-preamble"]);
  assert.ok(invalid.length > 800);
  for (const vector of invalid) {
    const rule = await refusal(vector);
    if (several.has(vector.id)) assert.notEqual(rule, null, vector.id);
    else assert.equal(rule, vector.rules[0], vector.id);
  }
});

test("every package is judged by the rule of its first error when it is validated", async () => {
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
