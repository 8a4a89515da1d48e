/**
 * metadata.json: the index of a package (spec: Metadata).
 *
 * All that it says is checked when it is read: the stages `json` to `parts` of chapter Validation.
 */

import { PackageError } from "../errors.js";
import { readJson } from "./canonical_json.js";
import { checkModel } from "./checks/model.js";
import { checkParts } from "./checks/parts.js";
import { checkTensors } from "./checks/tensors.js";
import { settle } from "./findings.js";
import { checkSchema } from "./schema.js";
import { sha256 } from "./sha256.js";
import { METADATA_SCHEMA } from "./specification.js";

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
/** @typedef {{name: string, dtype: Dtype, shape: number[], parts: Part[], extensions?: object}} TensorEntry */
/**
 * @typedef {FileEntry & {bos_token_id: number | null, eos_token_ids: number[], chat_template: string | null}}
 *   TokenizerEntry
 */
/**
 * @typedef {object} LayerEntry
 * @property {{rope: boolean, qk_norm: boolean, chunk_size: number | null, temperature: object | null}} attention
 * @property {{activation: string, gated: boolean, intermediate_size: number, moe: MoeEntry | null}} ffn
 */
/** @typedef {{num_experts: number, shared_intermediate_size: number}} MoeEntry */
/**
 * @typedef {object} ModelEntry
 * @property {number} vocab_size
 * @property {number} hidden_size
 * @property {number} num_heads
 * @property {number} num_kv_heads
 * @property {number} head_dim
 * @property {number} context_length
 * @property {boolean} tied_embeddings
 * @property {{fp16_layers: number}} activations
 * @property {LayerEntry[]} layers
 */
/**
 * @typedef {object} Metadata
 * @property {string} version
 * @property {string} stem
 * @property {string} digest
 * @property {number} shard_limit
 * @property {FileEntry[]} shards
 * @property {TensorEntry[]} tensors
 * @property {ModelEntry} [model]
 * @property {TokenizerEntry} [tokenizer]
 * @property {FileEntry} [module]
 * @property {FileEntry} [program]
 * @property {string[]} [extensions_used]
 * @property {string[]} [extensions_required]
 * @property {object} [extensions]
 */

export const METADATA_NAME = "metadata.json";
export const MAX_METADATA_BYTES = 1 << 24;

const RULES = {
  encoding: "LLQ-JSON-1",
  depth: "LLQ-JSON-4",
  syntax: "LLQ-JSON-2",
  duplicate: "LLQ-JSON-3",
  number: "LLQ-JSON-5",
  surrogate: "LLQ-JSON-6",
};

/**
 * Returns the metadata that bytes hold.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<Metadata>}
 * @throws {PackageError} for the first fault of the stages `read` to `parts`
 */
export async function readMetadata(data) {
  if (data.length < 2 || data.length > MAX_METADATA_BYTES) {
    throw refusal(
      "LLQ-PKG-2",
      `metadata.json has ${data.length} bytes, and may have 2 to ${MAX_METADATA_BYTES}`,
    );
  }
  const { value, isCanonical, writtenAsInteger } = readJson(data, METADATA_NAME, RULES);
  checkVersion(value);
  settle(checkSchema(METADATA_SCHEMA, value, writtenAsInteger));
  if (!isCanonical) throw refusal("LLQ-CANON-1", "metadata.json is not in canonical form");
  const zeroed = data.slice();
  zeroed.fill(0x30, 11, 75); // `digest` sorts before all other members, so it stands at a fixed place
  if ((await sha256(zeroed)) !== value.digest) {
    throw refusal(
      "LLQ-CANON-2",
      "metadata.json does not have the digest that it states: it was changed or damaged",
    );
  }
  settle(checkModel(value));
  settle(checkTensors(value));
  settle(checkParts(value));
  return value;
}

/** @param {any} value checked before the schema, so that a file of a later version is refused for its version */
function checkVersion(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  if (typeof value.version === "string" && value.version !== "1.0") {
    throw refusal(
      "LLQ-VER-1",
      `metadata.json is of version ${JSON.stringify(value.version)}; this is a reader of 1.0`,
    );
  }
  const required = Array.isArray(value.extensions_required) ? value.extensions_required : [];
  const unknown = required.find((/** @type {unknown} */ name) => typeof name === "string");
  if (unknown !== undefined) {
    throw refusal(
      "LLQ-EXT-1",
      `the package requires ${JSON.stringify(unknown)}, an extension that is not known here`,
    );
  }
}

/** @param {string} rule @param {string} message */
function refusal(rule, message) {
  return new PackageError(message, { rule });
}
