/** The work of the dispatches of a program: layer, operation, weights read, workgroups. */

import { grid } from "./program.js";

/** @typedef {import("./program.js").Dispatch} Dispatch */
/** @typedef {import("./program.js").Program} Program */
/**
 * @typedef {object} Work
 * @property {Dispatch} dispatch
 * @property {number | null} layer
 * @property {string} group `layers.N`, `embedding`, `head` or `choice`
 * @property {string} operation the label without numbers of layers, experts and rows
 * @property {number} weightBytes weights that it has to read once
 * @property {number} workgroups
 */

/** Workgroups of 256 that give every core of a large device work; occupancy is estimated against it. */
export const FULL_WORKGROUPS = 256;

export const OCCUPANCY =
  "An estimate of what the program offers the device in one decode step, not a measurement of its compute units, " +
  "which WebGPU does not reveal: the mean over all dispatches, each weighted by its time, of " +
  "min(1, workgroups / full_workgroups). If single dispatches were not timed, all have equal weights.";

const LAYER = /^layers\.(\d+)\./;
const EXPERT = /\.experts\.\d+\./;
const BLOCK_BYTES = 2048;

/**
 * Returns the work of passes, one after another, for a chunk of tokens. Of a mixture's experts tokens /
 * experts of
 * each matrix is counted: a token takes one.
 *
 * @param {Program} program
 * @param {string[]} passes
 * @param {number} tokens
 * @returns {Work[]}
 */
export function work(program, passes, tokens) {
  const dispatches = passes.flatMap((name) => program.passes.get(name) ?? []);
  /** @type {Map<number | null, Set<string>>} */
  const experts = new Map();
  for (const { label } of dispatches) {
    const expert = EXPERT.exec(label);
    if (expert === null) continue;
    const layer = layerOf(label);
    experts.set(layer, (experts.get(layer) ?? new Set()).add(expert[0]));
  }
  return dispatches.map((dispatch) => {
    const { label } = dispatch;
    const layer = layerOf(label);
    const share = EXPERT.test(label) ? Math.min(1, tokens / (experts.get(layer)?.size ?? 1)) : 1;
    const [x, y, z] = grid(dispatch, tokens);
    return {
      dispatch,
      layer,
      group: groupOf(dispatch),
      operation: label.replace(LAYER, "").replace(/\+\d+/g, "").replace(EXPERT, ".experts."),
      weightBytes: share * weightBytes(program, dispatch, tokens),
      workgroups: x * y * z,
    };
  });
}

/**
 * Returns the estimate `workgroup_occupancy`, 0 to 1: see OCCUPANCY.
 *
 * @param {Work[]} works
 * @param {(number | null)[]} times of each dispatch; where any is missing all count alike
 */
export function occupancy(works, times) {
  const known = times.every((time) => time !== null) && times.some((time) => time !== 0);
  let filled = 0;
  let whole = 0;
  works.forEach(({ workgroups }, i) => {
    const weight = known ? (times[i] ?? 0) : 1;
    filled += weight * Math.min(1, workgroups / FULL_WORKGROUPS);
    whole += weight;
  });
  return whole > 0 ? filled / whole : 0;
}

/** @param {Dispatch} dispatch */
export function groupOf({ label, entry_point: entryPoint }) {
  const layer = layerOf(label);
  if (layer !== null) return `layers.${layer}`;
  if (entryPoint === "embed") return "embedding";
  return label.startsWith("choice.") ? "choice" : "head";
}

/** @param {string} label */
function layerOf(label) {
  const match = LAYER.exec(label);
  return match === null ? null : Number(match[1]);
}

/** @param {Program} program @param {Dispatch} dispatch @param {number} tokens */
function weightBytes(program, dispatch, tokens) {
  const bound = new Map(
    dispatch.bindings.flatMap((name) => {
      const range = program.weights.get(name);
      return range === undefined ? [] : [[name, range.size]];
    }),
  );
  if (dispatch.entry_point === "embed") {
    // one row a token, from the one range that holds it
    const [, , cols, , half] = program.parameters[dispatch.parameters];
    const size = [...bound.values()].reduce((sum, bytes) => sum + bytes, 0);
    const tables = (program.passes.get("decode") ?? []).filter(
      (dispatch) => dispatch.entry_point === "embed",
    );
    const tableBytes = tables
      .flatMap((dispatch) => dispatch.bindings)
      .reduce((sum, name) => sum + (program.weights.get(name)?.size ?? 0), 0);
    return tableBytes > 0 ? (tokens * Number(cols) * (half === 1 ? 2 : 4) * size) / tableBytes : 0;
  }
  let total = 0;
  for (const [name, size] of bound) {
    const [, tensor, section] = /^(.*)\.(\w+)$/.exec(name) ?? [];
    const packed = bound.get(`${tensor}.packed`);
    const item = section === "scale" ? 2 : section === "zero_point" ? 1 : 0;
    // the whole section of scales is bound, and read for the blocks of this range alone
    total += packed === undefined || item === 0 ? size : item * (packed / BLOCK_BYTES);
  }
  return total;
}
