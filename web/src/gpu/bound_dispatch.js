/** Dispatches as WebGPU takes them, ready to be encoded again and again. */

import { grid } from "./program.js";

/** @typedef {import("./program.js").Dispatch} Dispatch */
/**
 * @typedef {object} Prepared a dispatch with its pipeline and its bind groups
 * @property {Dispatch} dispatch
 * @property {GPUComputePipeline} pipeline
 * @property {GPUBindGroup} bindings
 * @property {GPUBindGroup} parameters
 * @property {[number, number, number]} grid that of one token
 */

/**
 * Encodes dispatches for a chunk of so many tokens, one after another. In WebGPU each is a usage scope of its own,
 * so it sees what those before it wrote (LLQ-PROG-23).
 *
 * @param {GPUComputePassEncoder} pass
 * @param {Prepared[]} dispatches
 * @param {number} tokens
 */
export function encode(pass, dispatches, tokens) {
  let pipeline = null;
  let parameters = null;
  for (const one of dispatches) {
    if (one.pipeline !== pipeline) pass.setPipeline((pipeline = one.pipeline));
    pass.setBindGroup(0, one.bindings);
    if (one.parameters !== parameters) pass.setBindGroup(1, (parameters = one.parameters));
    const [x, y, z] = tokens === 1 ? one.grid : grid(one.dispatch, tokens);
    pass.dispatchWorkgroups(x, y, z);
  }
}
