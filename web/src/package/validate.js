/** A whole package, wherever its files are, against all rules that a package can break (spec: Validation). */

import { PackageError } from "../errors.js";
import { checkProgram } from "./checks/program.js";
import { settle } from "./findings.js";
import { checkMetadataSize, METADATA_NAME, readMetadata } from "./metadata.js";
import { checkModuleSize, readModule } from "./module.js";
import { checkProgramSize, parseProgram } from "./program_file.js";
import { Sha256 } from "./sha256.js";
import { ShardCheck } from "./shard_check.js";
import { shardElements } from "./shard_elements.js";

/** @typedef {import("./findings.js").Finding} Finding */
/** @typedef {import("./findings.js").Findings} Findings */
/** @typedef {import("./metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./metadata_types.js").Metadata} Metadata */
/**
 * @typedef {{name: string, kind: "file" | "other", size: number}} DirectoryEntry links are not followed: they
 *   are `other`
 */
/**
 * @typedef {object} Directory
 * @property {() => Promise<DirectoryEntry[] | null>} list null where there is no directory
 * @property {(name: string, offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>} read bytes
 *   of a file
 */
/**
 * @typedef {{rule: string | null, message: string, warnings: string[]}} Verdict the rule of the first error,
 *   null for none
 */

const CHUNK_BYTES = 4 << 20;

/**
 * Returns whether a package conforms.
 *
 * @param {Directory} directory
 * @returns {Promise<Verdict>}
 */
export async function validate(directory) {
  try {
    const metadata = await checkedMetadata(directory);
    const warnings = metadata.model !== undefined && metadata.tokenizer === undefined ? ["LLQ-PKG-10"] : [];
    return { rule: null, message: "", warnings };
  } catch (error) {
    if (!(error instanceof PackageError) || error.rule === null) throw error;
    return { rule: error.rule, message: error.message, warnings: [] };
  }
}

/** Checks all stages; throws the first error. @param {Directory} directory */
async function checkedMetadata(directory) {
  const entries = await directory.list();
  const metadata = await readMetadata(await metadataBytes(directory, entries));
  settle(files(metadata, entries ?? []));
  /** @type {Finding[]} */
  const findings = [];
  for (const [index, entry] of metadata.shards.entries()) {
    findings.push(...(await contents(directory, entry, new ShardCheck(shardElements(metadata, index)))));
  }
  for (const entry of [metadata.tokenizer, metadata.module, metadata.program]) {
    if (entry !== undefined) findings.push(...(await contents(directory, entry, null)));
  }
  settle(findings);
  await execution(directory, metadata);
  return metadata;
}

/** @param {Directory} directory @param {DirectoryEntry[] | null} entries */
async function metadataBytes(directory, entries) {
  const entry = entries?.find(({ name }) => name === METADATA_NAME);
  if (entry?.kind !== "file") {
    throw new PackageError(`not a package: ${METADATA_NAME} not found`, { rule: "LLQ-PKG-1" });
  }
  checkMetadataSize(entry.size);
  return directory.read(METADATA_NAME, 0, entry.size);
}

/**
 * Yields the findings of stage `files`: the directory.
 *
 * @param {Metadata} metadata
 * @param {DirectoryEntry[]} entries
 * @returns {Findings}
 */
function* files({ shards, tokenizer, module, program }, entries) {
  const entriesByName = new Map(entries.map((entry) => [entry.name, entry]));
  const names = new Set();
  for (const expected of [...shards, tokenizer, module, program]) {
    if (expected === undefined) continue;
    const { file, byte_length: length } = expected;
    names.add(file);
    const entry = entriesByName.get(file);
    if (entry === undefined) yield ["LLQ-PKG-6", `${file} not found`];
    else if (entry.kind !== "file") yield ["LLQ-PKG-7", `${file} is not a regular file`];
    else if (entry.size !== length) {
      yield ["LLQ-PKG-8", `${file} is ${entry.size} bytes long, expected ${length}`];
    }
  }
  for (const { name } of entries) {
    if (!name.toLowerCase().endsWith(".llq") || names.has(name)) continue;
    yield ["LLQ-PKG-9", `${name} is a shard that ${METADATA_NAME} does not list`];
  }
}

/**
 * Returns the findings of stages `shards` to `payload` in one file.
 *
 * @param {Directory} directory
 * @param {FileEntry} entry
 * @param {ShardCheck | null} check of its contents, null for files that are not shards
 * @returns {Promise<Finding[]>}
 */
async function contents(directory, entry, check) {
  /** @type {Finding[]} */
  const findings = [];
  const hash = await Sha256.create();
  for (let begin = 0; begin < entry.byte_length; begin += CHUNK_BYTES) {
    const bytes = await directory.read(entry.file, begin, Math.min(CHUNK_BYTES, entry.byte_length - begin));
    hash.update(bytes);
    if (check === null) continue;
    for (const report of await check.take(bytes)) findings.push(...report.findings);
  }
  const digest = hash.digest();
  if (digest !== entry.sha256) {
    findings.push(["LLQ-HASH-2", `the SHA-256 of ${entry.file} is ${digest}, expected ${entry.sha256}`]);
  }
  return findings;
}

/**
 * Checks stage `program`: module and program, in files that were checked.
 *
 * @param {Directory} directory
 * @param {Metadata} metadata
 */
async function execution(directory, metadata) {
  const { module, program, model } = metadata;
  if (module === undefined) return;
  checkModuleSize(module.byte_length);
  const sections = readModule(await directory.read(module.file, 0, module.byte_length));
  if (program === undefined || model === undefined) return;
  checkProgramSize(program.byte_length);
  const value = await parseProgram(await directory.read(program.file, 0, program.byte_length));
  checkProgram(value, metadata, model, sections);
}
