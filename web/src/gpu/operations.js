/**
 * Single operations: a tensor decoded, vectors rounded, a matrix multiplied. Their programs have one pass,
 * `operation`, and read vectors from the buffer `x`.
 */

import { Executor } from "./executor.js";
import { upload } from "./upload.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("../net/package.js").Package} Package */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {"int8" | "binary16"} Form what the inputs of a product are rounded to */
/** @typedef {{data: Float32Array<ArrayBuffer>, rows: number, cols: number}} Vectors rows of vectors */

export const OPERATION = "operation";

/**
 * Runs a program of a single operation.
 *
 * @template T
 * @param {Device} device
 * @param {Program} program
 * @param {Package | null} opened where the weights are, null where the program has none
 * @param {Vectors | null} x what goes into the buffer `x`
 * @param {(executor: Executor) => Promise<T>} read reads the results
 * @returns {Promise<T>}
 */
async function operate(device, program, opened, x, read) {
  const { shards } = opened === null ? { shards: [] } : await upload(opened, device, program);
  const executor = new Executor(program, device, { shards, context: 1 });
  try {
    const tokens = x?.rows ?? 1;
    if (x !== null) {
      executor.write("x", x.data);
      executor.write("state", new Uint32Array([0, tokens]));
    }
    await executor.run(OPERATION, tokens);
    return await read(executor);
  } finally {
    executor.dispose();
    for (const shard of shards) shard?.destroy();
  }
}

/**
 * Returns the weights of a tensor, row-major: what a program that decodes it leaves in `y` (LLQ-DEQ-1,
 * LLQ-RAW-3).
 *
 * @param {Device} device
 * @param {Program} program
 * @param {Package} opened
 * @param {number} count of the tensor's elements
 */
export function decode(device, program, opened, count) {
  return operate(
    device,
    program,
    opened,
    null,
    async (executor) => new Float32Array(await executor.read("y", 4 * count)),
  );
}

/**
 * Returns rounded vectors, [rows, cols]: values of binary16, or INT8 codes with the scale of each vector.
 *
 * @param {Device} device
 * @param {Program} program
 * @param {Form} form
 * @param {Vectors} x
 * @returns {Promise<{values: Float32Array, scales: Float32Array | null}>}
 */
export function round(device, program, form, x) {
  const { rows, cols } = x;
  const stride = 64 * Math.ceil(cols / 64);
  return operate(device, program, null, x, async (executor) => {
    if (form === "binary16") {
      const padded = new Float32Array(await executor.read("rounded", 4 * rows * stride));
      const values = new Float32Array(rows * cols);
      for (let row = 0; row < rows; row++) {
        values.set(padded.subarray(row * stride, row * stride + cols), row * cols);
      }
      return { values, scales: null };
    }
    const codes = new Int8Array(await executor.read("codes", rows * stride));
    const scales = new Float32Array(await executor.read("scales", 4 * rows));
    return { values: unpermuted(codes, rows, cols), scales };
  });
}

/**
 * Returns the products of a matrix and rounded vectors, [x.rows, rows].
 *
 * @param {Device} device
 * @param {Program} program
 * @param {Package} opened
 * @param {Vectors} x
 * @param {number} rows of the matrix
 */
export function multiply(device, program, opened, x, rows) {
  return operate(
    device,
    program,
    opened,
    x,
    async (executor) => new Float32Array(await executor.read("y", 4 * x.rows * rows)),
  );
}

/**
 * Returns the INT8 codes of the buffer `codes` in the order of columns, [rows, cols].
 *
 * @param {Int8Array} codes
 * @param {number} rows
 * @param {number} cols
 */
export function unpermuted(codes, rows, cols) {
  const stride = 64 * Math.ceil(cols / 64);
  const values = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [w, j, k] = [(col >> 4) & 3, (col >> 2) & 3, col & 3]; // column 16 w + 4 j + k of a block
      values[row * cols + col] = codes[row * stride + (col & ~63) + 16 * w + 4 * k + j];
    }
  }
  return values;
}
