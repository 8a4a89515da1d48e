/** A whole package, wherever it lies, against all rules that a package can break (spec: Validation). */

import { PackageError } from "../errors.js";
import { MAX_PROGRAM_BYTES, parseProgram } from "../gpu/program.js";
import { checkProgram } from "./checks/program.js";
import { settle } from "./findings.js";
import { PREAMBLE_BYTES } from "./layout.js";
import { MAX_METADATA_BYTES, METADATA_NAME, readMetadata } from "./metadata.js";
import { MAX_MODULE_BYTES, readModule } from "./module.js";
import { checkPreamble, PartCheck } from "./part_check.js";
import { Sha256 } from "./sha256.js";

/** @typedef {import("./metadata.js").FileEntry} FileEntry */
/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./schema.js").Finding} Finding */
/** @typedef {{name: string, kind: "file" | "other", size: number}} DirectoryEntry links are not followed: they are `other` */
/**
 * @typedef {object} Directory
 * @property {() => Promise<DirectoryEntry[] | null>} list null where there is no directory
 * @property {(name: string, offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>} read bytes of a file
 */
/** @typedef {{rule: string | null, message: string, warnings: string[]}} Verdict the rule of the first fault, null for none */

const CHUNK_BYTES = 4 << 20;

/**
 * Says whether a package conforms.
 *
 * @param {Directory} directory
 * @returns {Promise<Verdict>}
 */
export async function validate(directory) {
  try {
    const entries = await directory.list();
    const metadata = await readMetadata(await metadataBytes(directory, entries));
    settle(files(metadata, entries ?? []));
    /** @type {Finding[]} */
    const found = [];
    for (const entry of [...metadata.shards, metadata.tokenizer, metadata.module, metadata.program]) {
      if (entry !== undefined) found.push(...(await contents(directory, metadata, entry)));
    }
    settle(found);
    await execution(directory, metadata);
    const warnings = metadata.model !== undefined && metadata.tokenizer === undefined ? ["LLQ-PKG-10"] : [];
    return { rule: null, message: "", warnings };
  } catch (error) {
    if (!(error instanceof PackageError) || error.rule === null) throw error;
    return { rule: error.rule, message: error.message, warnings: [] };
  }
}

/** @param {Directory} directory @param {DirectoryEntry[] | null} entries */
async function metadataBytes(directory, entries) {
  const entry = entries?.find(({ name }) => name === METADATA_NAME);
  if (entry?.kind !== "file") {
    throw new PackageError(`this is no directory that holds a file ${METADATA_NAME}`, { rule: "LLQ-PKG-1" });
  }
  if (entry.size > MAX_METADATA_BYTES) {
    throw new PackageError(`${METADATA_NAME} has ${entry.size} bytes`, { rule: "LLQ-PKG-2" });
  }
  return directory.read(METADATA_NAME, 0, entry.size);
}

/**
 * Stage `files`: the directory.
 *
 * @param {Metadata} metadata
 * @param {DirectoryEntry[]} entries
 * @returns {Generator<Finding, void, void>}
 */
function* files({ shards, tokenizer, module, program }, entries) {
  const there = new Map(entries.map((entry) => [entry.name, entry]));
  const named = new Set();
  for (const entry of [...shards, tokenizer, module, program]) {
    if (entry === undefined) continue;
    const { file, byte_length: length } = entry;
    named.add(file);
    const found = there.get(file);
    if (found === undefined) yield ["LLQ-PKG-6", `there is no ${file}`];
    else if (found.kind !== "file") yield ["LLQ-PKG-7", `${file} is no regular file`];
    else if (found.size !== length) yield ["LLQ-PKG-8", `${file} has ${found.size} bytes, and not ${length}`];
  }
  for (const { name } of entries) {
    if (name.toLowerCase().endsWith(".llq") && !named.has(name))
      yield ["LLQ-PKG-9", `${name} is a stray shard`];
  }
}

/**
 * Stages `shards` to `payload`: what one file holds.
 *
 * @param {Directory} directory
 * @param {Metadata} metadata
 * @param {FileEntry} entry
 * @returns {Promise<Finding[]>}
 */
async function contents(directory, metadata, entry) {
  /** @type {Finding[]} */
  const found = [];
  const index = metadata.shards.indexOf(entry);
  const parts = metadata.tensors
    .flatMap((tensor) => tensor.parts.map((part) => ({ tensor, part })))
    .filter(({ part }) => part.shard === index)
    .sort((a, b) => a.part.offset - b.part.offset);
  const hash = new Sha256();
  let next = 0;
  /** @type {PartCheck | null} */
  let check = null;
  for (let begin = 0; begin < entry.byte_length; begin += CHUNK_BYTES) {
    const bytes = await directory.read(entry.file, begin, Math.min(CHUNK_BYTES, entry.byte_length - begin));
    const end = begin + bytes.length;
    hash.update(bytes);
    if (index >= 0 && begin === 0) {
      const expected = {
        index,
        count: metadata.shards.length,
        byteLength: entry.byte_length,
        file: entry.file,
      };
      found.push(...checkPreamble(bytes, expected));
    }
    // parts tile the shard behind its preamble
    for (let at = index >= 0 ? Math.max(begin, PREAMBLE_BYTES) : end; at < end; ) {
      const { tensor, part } = parts[next];
      check ??= new PartCheck(tensor, part, metadata.model !== undefined);
      const stop = Math.min(end, part.offset + part.byte_length);
      if (await check.take(bytes.subarray(at - begin, stop - begin))) {
        found.push(...check.findings);
        check = null;
        next++;
      }
      at = stop;
    }
  }
  if (hash.digest() !== entry.sha256) {
    found.push(["LLQ-HASH-2", `${entry.file} is not what ${METADATA_NAME} says: its SHA-256 is another`]);
  }
  return found;
}

/**
 * Stage `program`: module and program, of files that were checked.
 *
 * @param {Directory} directory
 * @param {Metadata} metadata
 */
async function execution(directory, metadata) {
  const { module, program, model } = metadata;
  if (module === undefined) return;
  if (module.byte_length > MAX_MODULE_BYTES) {
    throw new PackageError(`the module has ${module.byte_length} bytes`, { rule: "LLQ-WGSL-1" });
  }
  const sections = readModule(await directory.read(module.file, 0, module.byte_length));
  if (program === undefined || model === undefined) return;
  if (program.byte_length > MAX_PROGRAM_BYTES) {
    throw new PackageError(`program.json has ${program.byte_length} bytes`, { rule: "LLQ-PROG-1" });
  }
  checkProgram(
    parseProgram(await directory.read(program.file, 0, program.byte_length)),
    metadata,
    model,
    sections,
  );
}
