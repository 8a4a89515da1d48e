/**
 * metadata.json: the index of a package (spec: Metadata).
 *
 * What a host relies on is checked here: form, digest, version, names and places. The reference validator checks
 * the rest of the rules; every byte of a package is covered by the digest and the hashes in any case.
 */

import { parseCanonical } from "./canonical_json.js";
import { PackageError } from "./errors.js";
import { BLOCK, PREAMBLE_BYTES, isInt4, partLength } from "./layout.js";
import { sha256 } from "./sha256.js";

/** @typedef {{file: string, byte_length: number, sha256: string}} FileEntry */
/**
 * @typedef {object} Part
 * @property {number} shard
 * @property {number} offset
 * @property {number} byte_length
 * @property {number} first_row
 * @property {number} num_rows
 * @property {string} sha256
 */
/** @typedef {"int4_affine" | "int4_symmetric" | "f16" | "f32"} Dtype */
/** @typedef {{name: string, dtype: Dtype, shape: number[], parts: Part[]}} TensorEntry */
/**
 * @typedef {FileEntry & {bos_token_id: number | null, eos_token_ids: number[], chat_template: string | null}}
 *   TokenizerEntry
 */
/** @typedef {{vocab_size: number, head_dim: number, context_length: number, layers: object[]}} ModelEntry */
/**
 * @typedef {object} Metadata
 * @property {string} version
 * @property {string} stem
 * @property {string} digest
 * @property {FileEntry[]} shards
 * @property {TensorEntry[]} tensors
 * @property {ModelEntry} [model]
 * @property {TokenizerEntry} [tokenizer]
 * @property {FileEntry} [module]
 * @property {FileEntry} [program]
 */

export const METADATA_NAME = "metadata.json";
export const MAX_METADATA_BYTES = 1 << 24;

const RULES = {
  encoding: "LLQ-JSON-1",
  depth: "LLQ-JSON-4",
  syntax: "LLQ-JSON-2",
  number: "LLQ-JSON-5",
  surrogate: "LLQ-JSON-6",
  form: "LLQ-CANON-1",
};
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const STEM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TENSOR = /^[A-Za-z0-9][A-Za-z0-9_]*(\.[A-Za-z0-9][A-Za-z0-9_]*)*$/;
const HASH = /^[0-9a-f]{64}$/;
const DTYPES = ["int4_affine", "int4_symmetric", "f16", "f32"];
const MAX_FILE = 4294967040;

/**
 * Returns the metadata that bytes hold.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<Metadata>}
 * @throws {PackageError}
 */
export async function readMetadata(data) {
  if (data.length < 2 || data.length > MAX_METADATA_BYTES) {
    throw new PackageError(`metadata.json has ${data.length} bytes, and may have 2 to ${MAX_METADATA_BYTES}`, {
      rule: "LLQ-PKG-2",
    });
  }
  const value = parseCanonical(data, METADATA_NAME, RULES);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal("LLQ-META-3", "metadata.json is no object");
  }
  if (typeof value.version === "string" && value.version !== "1.0") {
    throw refusal("LLQ-VER-1", `metadata.json is of version ${show(value.version)}; this is a reader of 1.0`);
  }
  const required = Array.isArray(value.extensions_required) ? value.extensions_required : [];
  if (required.length > 0) {
    throw refusal("LLQ-EXT-1", `the package requires ${show(required[0])}, an extension that is not known here`);
  }
  checkMembers(value);
  const zeroed = data.slice();
  zeroed.fill(0x30, 11, 75); // `digest` sorts before all other members, so it stands at a fixed place
  if ((await sha256(zeroed)) !== value.digest) {
    throw refusal("LLQ-CANON-2", "metadata.json does not have the digest that it states: it was changed or damaged");
  }
  checkNames(value);
  checkParts(value);
  return value;
}

/** @param {any} value */
function checkMembers(value) {
  need(value, "version", (v) => v === "1.0", "1.0");
  need(value, "stem", (v) => typeof v === "string" && STEM.test(v), "a stem");
  need(value, "digest", isHash, "64 hexadecimal digits");
  need(value, "shards", (v) => isList(v, 1, 99999), "an array of files");
  need(value, "tensors", (v) => isList(v, 1, 65536), "an array of tensors");
  value.shards.forEach(checkFile);
  for (const member of ["tokenizer", "module", "program"]) {
    if (value[member] !== undefined) checkFile(value[member]);
  }
  for (const tensor of value.tensors) {
    need(tensor, "name", (v) => typeof v === "string", "a name");
    if (tensor.name.length > 128 || !TENSOR.test(tensor.name)) {
      throw refusal("LLQ-TENSOR-1", `${show(tensor.name)} is no name of a tensor`);
    }
    need(tensor, "dtype", (v) => DTYPES.includes(v), `one of ${DTYPES.join(", ")}`);
    need(tensor, "shape", (v) => isList(v, 1, 2) && v.every(isSize(1, 2 ** 31 - 1)), "1 or 2 sizes");
    need(tensor, "parts", (v) => isList(v, 1, 99999), "an array of parts");
    for (const part of tensor.parts) {
      need(part, "shard", isSize(0, 99998), "a shard's index");
      need(part, "offset", isSize(0, MAX_FILE), "an offset");
      need(part, "byte_length", isSize(1, MAX_FILE), "a length");
      need(part, "first_row", isSize(0, 2 ** 31 - 1), "a row");
      need(part, "num_rows", isSize(1, 2 ** 31 - 1), "a number of rows");
      need(part, "sha256", isHash, "64 hexadecimal digits");
    }
  }
  if (value.model !== undefined) {
    need(value.model, "vocab_size", isSize(1, 1 << 24), "a size");
    need(value.model, "head_dim", isSize(2, 4096), "a size");
    need(value.model, "context_length", isSize(1, 2 ** 31 - 1), "a length");
    need(value.model, "layers", (v) => isList(v, 1, 1024), "an array of layers");
  }
  if (value.tokenizer !== undefined) {
    const id = isSize(0, (1 << 24) - 1);
    need(value.tokenizer, "bos_token_id", (v) => v === null || id(v), "a token id or null");
    need(value.tokenizer, "eos_token_ids", (v) => isList(v, 0, 64) && v.every(id), "token ids");
    need(value.tokenizer, "chat_template", (v) => v === null || typeof v === "string", "a template or null");
  }
}

/** @param {any} entry */
function checkFile(entry) {
  need(entry, "file", (v) => typeof v === "string", "a name");
  if (!NAME.test(entry.file)) throw refusal("LLQ-PKG-3", `${show(entry.file)} is no name of a file in a package`);
  need(entry, "byte_length", isSize(1, MAX_FILE), "a length");
  need(entry, "sha256", isHash, "64 hexadecimal digits");
}

/** @param {Metadata} metadata */
function checkNames(metadata) {
  const digits = (/** @type {number} */ n) => String(n).padStart(5, "0");
  const count = digits(metadata.shards.length);
  metadata.shards.forEach((shard, i) => {
    const name = `${metadata.stem}-${digits(i + 1)}-of-${count}.llq`;
    if (shard.file !== name) throw refusal("LLQ-PKG-4", `shard ${i} is called ${shard.file}, and not ${name}`);
  });
  if (metadata.module !== undefined && metadata.module.file !== `${metadata.stem}.wgsl`) {
    throw refusal("LLQ-PKG-4", `the module is called ${metadata.module.file}, and not ${metadata.stem}.wgsl`);
  }
  for (const [entry, name] of /** @type {const} */ ([
    [metadata.tokenizer, "tokenizer.json"],
    [metadata.program, "program.json"],
  ])) {
    if (entry !== undefined && entry.file !== name) {
      throw refusal("LLQ-PKG-5", `${entry.file} has to be called ${name}`);
    }
  }
  if (metadata.program !== undefined && metadata.module === undefined) {
    throw refusal("LLQ-PKG-5", "the package has a program but no module");
  }
  if (metadata.program !== undefined && metadata.model === undefined) {
    throw refusal("LLQ-PKG-11", "the package has a program but no model");
  }
}

/**
 * Checks where parts lie: within their shards, behind one another, as long as they must be.
 *
 * @param {Metadata} metadata
 */
function checkParts(metadata) {
  const seen = new Set();
  /** @type {{tensor: TensorEntry, part: Part}[][]} */
  const held = metadata.shards.map(() => []);
  for (const tensor of metadata.tensors) {
    const name = tensor.name.toLowerCase();
    if (seen.has(name)) throw refusal("LLQ-TENSOR-2", `two tensors are called ${show(tensor.name)}`);
    seen.add(name);
    const [rows, cols] = rowsCols(tensor);
    if (rows * cols > Number.MAX_SAFE_INTEGER) throw refusal("LLQ-TENSOR-7", `${tensor.name} is too large`);
    let row = 0;
    for (const part of tensor.parts) {
      const place = `${tensor.name}, rows from ${part.first_row} on`;
      if (part.shard >= held.length) throw refusal("LLQ-PART-3", `${place}: shard ${part.shard} is not listed`);
      if (part.first_row !== row || row + part.num_rows > rows) {
        throw refusal("LLQ-PART-1", `${place}: parts cover the rows one after another`);
      }
      row += part.num_rows;
      if (isInt4(tensor.dtype) && row < rows && part.num_rows % BLOCK !== 0) {
        throw refusal("LLQ-PART-2", `${place}: ${part.num_rows} rows are not whole block rows`);
      }
      if (part.offset % 256 !== 0) throw refusal("LLQ-PART-4", `${place}: offset ${part.offset}`);
      const length = partLength(tensor.dtype, part.num_rows, cols);
      if (part.byte_length !== length) {
        throw refusal("LLQ-PART-5", `${place}: ${part.byte_length} bytes, and not ${length}`);
      }
      const end = metadata.shards[part.shard].byte_length;
      if (part.offset < PREAMBLE_BYTES || part.offset + length > end) {
        throw refusal("LLQ-PART-6", `${place}: bytes from ${part.offset} on, in a shard of ${end}`);
      }
      held[part.shard].push({ tensor, part });
    }
    if (row !== rows) throw refusal("LLQ-PART-1", `${tensor.name}: its parts hold ${row} of ${rows} rows`);
  }
  held.forEach((parts, shard) => {
    let end = PREAMBLE_BYTES;
    for (const { tensor, part } of parts.sort((a, b) => a.part.offset - b.part.offset)) {
      if (part.offset < end) throw refusal("LLQ-PART-7", `${tensor.name} shares bytes with its neighbour`);
      if (part.offset > end) throw refusal("LLQ-PART-8", `before ${tensor.name} bytes are unused`);
      end += part.byte_length;
    }
    const length = metadata.shards[shard].byte_length;
    if (end !== length) throw refusal("LLQ-PART-9", `shard ${shard} has ${length} bytes, its parts end at ${end}`);
  });
}

/**
 * Returns [rows, cols] of a tensor; one of one dimension has rows of one element.
 *
 * @param {{shape: number[]}} tensor
 * @returns {[number, number]}
 */
export function rowsCols({ shape }) {
  return [shape[0], shape[1] ?? 1];
}

/** @param {any} object @param {string} member @param {(value: any) => boolean} right @param {string} expected */
function need(object, member, right, expected) {
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw refusal("LLQ-META-3", `metadata.json: there is no object with a member ${member}`);
  }
  if (!Object.hasOwn(object, member)) throw refusal("LLQ-META-2", `metadata.json: ${member} is missing`);
  if (!right(object[member])) {
    throw refusal("LLQ-META-5", `metadata.json: ${member} is ${show(object[member])}, and not ${expected}`);
  }
}

/** @param {unknown} value */
function isHash(value) {
  return typeof value === "string" && HASH.test(value);
}

/** @param {unknown} value @param {number} least @param {number} most */
function isList(value, least, most) {
  return Array.isArray(value) && value.length >= least && value.length <= most;
}

/** @param {number} least @param {number} most @returns {(value: any) => boolean} */
function isSize(least, most) {
  return (value) => Number.isSafeInteger(value) && value >= least && value <= most;
}

/** @param {unknown} value */
function show(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)} …` : text;
}

/** @param {string} rule @param {string} message */
function refusal(rule, message) {
  return new PackageError(message, { rule });
}
