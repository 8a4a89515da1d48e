/** The places of the sections of a part (spec: Shards and records). All lengths are in bytes. */

/** @typedef {import("./metadata_types.js").Dtype} Dtype */

export const BLOCK = 64; // rows and columns of a block
export const BLOCK_BYTES = 2048;
export const SLOT_BYTES = 256;
export const PREAMBLE_BYTES = 256;

/** @param {number} n the smallest multiple of 256 that is at least n */
export function align(n) {
  return Math.ceil(n / 256) * 256;
}

/** @param {string} dtype whether tensors of it are stored as records */
export function isInt4(dtype) {
  return dtype.startsWith("int4_");
}

/**
 * Returns [rows, cols] of a tensor; a tensor of one dimension has rows of one element.
 *
 * @param {{shape: number[]}} tensor
 * @returns {[number, number]}
 */
export function rowsCols({ shape }) {
  return [shape[0], shape[1] ?? 1];
}

/**
 * Returns the sections of a part, in order; they tile it. `size` is without padding.
 *
 * @param {Dtype} dtype
 * @param {number} rows
 * @param {number} cols
 * @returns {{name: "slot" | "scale" | "zero_point" | "packed" | "data", offset: number, size: number}[]}
 */
export function sections(dtype, rows, cols) {
  if (!isInt4(dtype)) return [{ name: "data", offset: 0, size: rows * cols * (dtype === "f16" ? 2 : 4) }];
  const blocks = Math.ceil(rows / BLOCK) * Math.ceil(cols / BLOCK);
  /** @type {ReturnType<typeof sections>} */
  const list = [{ name: "slot", offset: 0, size: SLOT_BYTES }];
  let offset = SLOT_BYTES;
  list.push({ name: "scale", offset, size: 2 * blocks });
  offset += align(2 * blocks);
  if (dtype === "int4_affine") {
    list.push({ name: "zero_point", offset, size: blocks });
    offset += align(blocks);
  }
  list.push({ name: "packed", offset, size: BLOCK_BYTES * blocks });
  return list;
}

/**
 * Returns the length of a part, padding included.
 *
 * @param {Dtype} dtype
 * @param {number} rows
 * @param {number} cols
 */
export function partLength(dtype, rows, cols) {
  const last = sections(dtype, rows, cols).at(-1);
  return last === undefined ? 0 : last.offset + align(last.size);
}
