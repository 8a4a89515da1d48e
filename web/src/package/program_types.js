/** The types of program.json (spec: Execution program). */

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
/** @typedef {number | {f32: number}} Word of a slot of parameters */
/**
 * @typedef {object} Dispatch
 * @property {string} label
 * @property {string} entry_point
 * @property {readonly string[]} bindings
 * @property {number} parameters
 * @property {readonly [Dimension, Dimension, Dimension]} workgroups
 */
/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {readonly string[]} features
 * @property {readonly string[]} language
 * @property {readonly string[]} directives
 * @property {readonly string[]} sections
 */
/**
 * @typedef {object} ProgramFile the value of program.json
 * @property {number} chunk the maximum number of tokens of one prefill
 * @property {number} context_length
 * @property {"f16" | "f32"} kv_cache
 * @property {readonly Variant[]} variants
 * @property {Readonly<Record<string, ShardRange>>} weights
 * @property {Readonly<Record<string, PlannedBuffer>>} buffers
 * @property {Readonly<Record<string, readonly Access[]>>} pipelines the accesses of each entry point's
 *   storage bindings
 * @property {readonly (readonly Word[])[]} parameters
 * @property {Readonly<Record<string, readonly Dispatch[]>>} passes
 */

export {};
