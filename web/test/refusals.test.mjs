// Packages of the vectors that break a rule of metadata, module or program are refused before a byte is uploaded.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { directorySource } from "../node/directory.js";
import { PackageError } from "../src/errors.js";
import { Package } from "../src/loading.js";
import { readModule } from "../src/module.js";
import { memoryDevice } from "./memory_device.mjs";
import { parseProgram, toProgram } from "../src/program.js";
import { checkProgram } from "../src/program_check.js";

const VECTORS = new URL("../../vectors/", import.meta.url);
const { vectors } = JSON.parse(readFileSync(new URL("index.json", VECTORS), "utf8"));
const pathOf = (id, kind) => fileURLToPath(new URL(`${kind}/${id}/package`, VECTORS));

/** What loadModel checks, up to the upload, and every part. */
async function open(path) {
  const opened = await Package.open(directorySource(path));
  const { metadata } = opened;
  let program = { weights: new Map(metadata.shards.map((_, shard) => [`${shard}`, { shard }])), buffers: new Map() };
  if (metadata.module !== undefined) {
    const sections = readModule(await opened.readFile(metadata.module));
    if (metadata.program !== undefined) {
      const value = parseProgram(await opened.readFile(metadata.program));
      checkProgram(value, metadata, metadata.model, sections);
      program = toProgram(value);
    }
  }
  await opened.upload(memoryDevice(), program);
}
console.log(Object.keys(vectors[0]), vectors[0]);
