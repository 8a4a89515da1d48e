/**
 * Traces (conformance/TRACE.md): a sequence computed dispatch by dispatch, with the results that buffers hold
 * in between. The planner lists where they are, as taps.
 *
 * @module harness/trace
 */

import { encodeDispatches } from "../src/gpu/bound_dispatch.js";
import { unpermuted } from "../src/gpu/operations.js";

/** @typedef {import("../src/gpu/executor.js").Executor} Executor */
/**
 * @typedef {object} Tap a result in a buffer, a row for each token
 * @property {string} name
 * @property {string} buffer
 * @property {"f32" | "u32" | "int8"} type of the buffer's elements; `int8` are codes in the kernels' order
 * @property {number[]} shape of one row
 * @property {number} stride elements from row to row
 */
/** @typedef {{after: number, taps: Tap[]}} Point results that are complete after a dispatch of a pass */
/** @typedef {{passes: Record<string, Point[]>, caches: Tap[]}} Taps */
/** @typedef {{name: string, shape: number[], rows: Float32Array[]}} Tensor parts of it, in order */

/**
 * Computes a new sequence and returns the results of its operations.
 *
 * @param {Executor} executor
 * @param {Taps} taps
 * @param {readonly number[]} tokens
 * @param {readonly number[]} splits how many tokens to compute at a time
 * @returns {Promise<Tensor[]>}
 */
export async function trace(executor, taps, tokens, splits) {
  /** @type {Map<string, Tensor>} */
  const tensors = new Map();
  for (const chunk of chunks(executor, tokens, splits)) {
    executor.write("tokens", new Uint32Array(chunk));
    executor.write("state", new Uint32Array([executor.position, chunk.length]));
    const passes = chunk.length === 1 ? ["decode"] : ["prefill", "logits"];
    await executor.prepare(passes);
    for (const pass of passes) {
      let begin = 0;
      for (const point of taps.passes[pass]) {
        run(executor, pass, [begin, point.after + 1], chunk.length);
        begin = point.after + 1;
        for (const tap of point.taps)
          add(tensors, tap, await rowsOf(executor, tap, chunk.length), tokens.length);
      }
    }
    executor.advance(chunk);
  }
  for (const tap of taps.caches) {
    add(tensors, tap, await rowsOf(executor, tap, tokens.length), tokens.length);
  }
  // a kernel that fuses operations leaves out results that another pass has
  return [...tensors.values()].filter(({ shape, rows }) => joined(rows).length === size(shape));
}

/** @param {readonly number[]} shape */
function size(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * Returns arrays one after another.
 *
 * @param {readonly Float32Array[]} parts
 */
export function joined(parts) {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {Executor} executor @param {readonly number[]} tokens @param {readonly number[]} splits */
function* chunks({ program: { chunk } }, tokens, splits) {
  let begin = 0;
  for (const count of splits) {
    const run = tokens.slice(begin, begin + count);
    for (let first = 0; first < count; first += chunk) yield run.slice(first, first + chunk);
    begin += count;
  }
}

/**
 * Executes a part of a pass that was prepared.
 *
 * @param {Executor} executor
 * @param {string} pass
 * @param {[number, number]} range of its dispatches
 * @param {number} tokens
 */
function run(executor, pass, [begin, end], tokens) {
  const { gpu } = executor.device;
  const encoder = gpu.createCommandEncoder({ label: `${pass} ${begin}` });
  const compute = encoder.beginComputePass({ label: `${pass} ${begin}` });
  encodeDispatches(compute, executor.dispatches(pass).slice(begin, end), tokens);
  compute.end();
  gpu.queue.submit([encoder.finish()]);
}

/** @param {Map<string, Tensor>} tensors @param {Tap} tap @param {Float32Array} rows @param {number} tokens */
function add(tensors, { name, shape }, rows, tokens) {
  const tensor = tensors.get(name) ?? { name, shape: [tokens, ...shape], rows: [] };
  tensor.rows.push(rows);
  tensors.set(name, tensor);
}

/** @param {Executor} executor @param {Tap} tap @param {number} count @returns {Promise<Float32Array>} */
async function rowsOf(executor, { buffer, type, shape, stride }, count) {
  const cols = size(shape);
  const bytes = type === "int8" ? 1 : 4;
  const data = await executor.read(buffer, 4 * Math.ceil((count * stride * bytes) / 4));
  if (type === "int8") return unpermuted(strided(new Int8Array(data), count, stride, cols), count, cols);
  const elements = type === "u32" ? new Uint32Array(data) : new Float32Array(data);
  const rows = new Float32Array(count * cols);
  for (let row = 0; row < count; row++) {
    rows.set(elements.subarray(row * stride, row * stride + cols), row * cols);
  }
  return rows;
}

/** Returns rows of codes without the blocks after their columns. */
function strided(
  /** @type {Int8Array} */ codes,
  /** @type {number} */ count,
  /** @type {number} */ stride,
  /** @type {number} */ cols,
) {
  const length = 64 * Math.ceil(cols / 64);
  const rows = new Int8Array(count * length);
  for (let row = 0; row < count; row++) {
    rows.set(codes.subarray(row * stride, row * stride + length), row * length);
  }
  return rows;
}
