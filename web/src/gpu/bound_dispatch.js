/** Dispatches with all that WebGPU needs of them, ready to be encoded any number of times. */

import { grid } from "./program.js";

/** @typedef {import("./program.js").Dispatch} Dispatch */
/**
 * @typedef {object} BoundDispatch a dispatch with its pipeline and its bind groups
 * @property {Dispatch} dispatch
 * @property {GPUComputePipeline} pipeline
 * @property {GPUBindGroup} bindings
 * @property {GPUBindGroup} parameters
 * @property {[number, number, number]} grid for one token
 */

/**
 * Encodes dispatches, one after another. In WebGPU each is a usage scope of its own: it sees what those
 * before it wrote
 * (LLQ-PROG-23).
 *
 * @param {GPUComputePassEncoder} pass
 * @param {readonly BoundDispatch[]} dispatches
 * @param {number} tokens
 */
export function encodeDispatches(pass, dispatches, tokens) {
  /** @type {BoundDispatch | null} */
  let previous = null;
  for (const bound of dispatches) {
    if (bound.pipeline !== previous?.pipeline) pass.setPipeline(bound.pipeline);
    pass.setBindGroup(0, bound.bindings);
    if (bound.parameters !== previous?.parameters) pass.setBindGroup(1, bound.parameters);
    const [x, y, z] = tokens === 1 ? bound.grid : grid(bound.dispatch, tokens);
    pass.dispatchWorkgroups(x, y, z);
    previous = bound;
  }
}
