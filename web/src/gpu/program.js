/** program.json as typed values (spec: Execution program). */

import { PackageError } from "../errors.js";
import { parseCanonical } from "../package/canonical_json.js";

/** @typedef {"read" | "read_write"} Access */
/** @typedef {{shard: number, offset: number, size: number}} ShardRange bytes of a shard */
/**
 * @typedef {object} PlannedBuffer
 * @property {"state" | "activation" | "kv_cache" | "table"} purpose
 * @property {number} bytes
 * @property {number} bytes_per_position
 * @property {"zero" | "rope"} init
 */
/** @typedef {number | {tokens_per_workgroup: number}} Dimension */
/**
 * @typedef {object} Dispatch
 * @property {string} label
 * @property {string} entry_point
 * @property {string[]} bindings
 * @property {number} parameters
 * @property {[Dimension, Dimension, Dimension]} workgroups
 */
/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {string[]} features
 * @property {string[]} language
 * @property {string[]} directives
 * @property {string[]} sections
 */
/**
 * @typedef {object} Program
 * @property {number} chunk the greatest number of tokens of one prefill
 * @property {number} contextLength
 * @property {"f16" | "f32"} kvCache
 * @property {Variant[]} variants
 * @property {Map<string, ShardRange>} weights
 * @property {Map<string, PlannedBuffer>} buffers
 * @property {Map<string, Access[]>} pipelines the accesses of each entry point's storage bindings
 * @property {(number | {f32: number})[][]} parameters
 * @property {Map<string, Dispatch[]>} passes
 */

export const MAX_PROGRAM_BYTES = 1 << 24;

/** Parameters of a dispatch lie in slots of so many bytes of the parameter arena. */
export const SLOT_BYTES = 256;

/**
 * Returns the value of program.json.
 *
 * @param {Uint8Array} data
 * @returns {any}
 * @throws {PackageError} LLQ-PROG-1, LLQ-PROG-2
 */
export function parseProgram(data) {
  if (data.length < 2 || data.length > MAX_PROGRAM_BYTES) {
    throw new PackageError(`program.json has ${data.length} bytes, and may have 2 to ${MAX_PROGRAM_BYTES}`, {
      rule: "LLQ-PROG-1",
    });
  }
  return parseCanonical(data, "program.json", "LLQ-PROG-2");
}

/**
 * Makes a program of a root object that satisfies the schema. Names are kept in maps, for they may be those of
 * members of every object, such as `constructor`.
 *
 * @param {any} value
 * @returns {Program}
 */
export function toProgram(value) {
  return {
    chunk: value.chunk,
    contextLength: value.context_length,
    kvCache: value.kv_cache,
    variants: value.variants,
    weights: new Map(Object.entries(value.weights)),
    buffers: new Map(Object.entries(value.buffers)),
    pipelines: new Map(Object.entries(value.pipelines)),
    parameters: value.parameters,
    passes: new Map(Object.entries(value.passes)),
  };
}

/**
 * Returns the bytes of a buffer for a context of so many positions, a multiple of 4.
 *
 * @param {PlannedBuffer} buffer
 * @param {number} context
 */
export function bufferBytes(buffer, context) {
  return Math.ceil((buffer.bytes + buffer.bytes_per_position * context) / 4) * 4;
}

/**
 * Returns the numbers of workgroups of a dispatch for a chunk of so many tokens.
 *
 * @param {Dispatch} dispatch
 * @param {number} tokens
 * @returns {[number, number, number]}
 */
export function grid(dispatch, tokens) {
  const count = (/** @type {Dimension} */ size) =>
    typeof size === "number" ? size : Math.ceil(tokens / size.tokens_per_workgroup);
  const [x, y, z] = dispatch.workgroups;
  return [count(x), count(y), count(z)];
}

/**
 * Returns the bytes of the parameter arena: a slot each, zeros behind its words.
 *
 * @param {Program} program
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function parameterBytes(program) {
  const data = new Uint8Array(SLOT_BYTES * program.parameters.length);
  const view = new DataView(data.buffer);
  program.parameters.forEach((slot, number) => {
    slot.forEach((word, at) => {
      const place = SLOT_BYTES * number + 4 * at;
      if (typeof word === "number") view.setUint32(place, word, true);
      else view.setFloat32(place, word.f32, true);
    });
  });
  return data;
}
