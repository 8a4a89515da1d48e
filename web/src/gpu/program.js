/** An execution program as an executor uses it (spec: Execution program). */

/** @typedef {import("../package/program_types.js").Access} Access */
/** @typedef {import("../package/program_types.js").Dimension} Dimension */
/** @typedef {import("../package/program_types.js").Dispatch} Dispatch */
/** @typedef {import("../package/program_types.js").PlannedBuffer} PlannedBuffer */
/** @typedef {import("../package/program_types.js").ProgramFile} ProgramFile */
/** @typedef {import("../package/program_types.js").ShardRange} ShardRange */
/** @typedef {import("../package/program_types.js").Variant} Variant */
/** @typedef {import("../package/program_types.js").Word} Word */
/**
 * @typedef {object} Program
 * @property {number} chunk the maximum number of tokens of one prefill
 * @property {number} contextLength
 * @property {"f16" | "f32"} kvCache
 * @property {readonly Variant[]} variants
 * @property {ReadonlyMap<string, ShardRange>} weights
 * @property {ReadonlyMap<string, PlannedBuffer>} buffers
 * @property {ReadonlyMap<string, readonly Access[]>} pipelines the accesses of each entry point's storage
 *   bindings
 * @property {readonly (readonly Word[])[]} parameters
 * @property {ReadonlyMap<string, readonly Dispatch[]>} passes
 */

/** Length of a slot of the parameter arena, in bytes. */
export const SLOT_BYTES = 256;

/**
 * Makes a program of the value of program.json. Its names are kept in maps: they may be those of members of
 * every
 * object, such as `constructor`.
 *
 * @param {ProgramFile} file
 * @returns {Program}
 */
export function toProgram(file) {
  return {
    chunk: file.chunk,
    contextLength: file.context_length,
    kvCache: file.kv_cache,
    variants: file.variants,
    weights: new Map(Object.entries(file.weights)),
    buffers: new Map(Object.entries(file.buffers)),
    pipelines: new Map(Object.entries(file.pipelines)),
    parameters: file.parameters,
    passes: new Map(Object.entries(file.passes)),
  };
}

/**
 * Returns the size of a buffer in bytes, a multiple of 4.
 *
 * @param {PlannedBuffer} buffer
 * @param {number} context positions
 */
export function bufferBytes(buffer, context) {
  return Math.ceil((buffer.bytes + buffer.bytes_per_position * context) / 4) * 4;
}

/**
 * Returns the numbers of workgroups of a dispatch.
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
 * Returns the bytes of the parameter arena: the words of each slot, then zeros.
 *
 * @param {Program} program
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function parameterBytes(program) {
  const data = new Uint8Array(SLOT_BYTES * program.parameters.length);
  const view = new DataView(data.buffer);
  for (const [number, slot] of program.parameters.entries()) {
    for (const [index, word] of slot.entries()) {
      const offset = SLOT_BYTES * number + 4 * index;
      if (typeof word === "number") view.setUint32(offset, word, true);
      else view.setFloat32(offset, word.f32, true);
    }
  }
  return data;
}
