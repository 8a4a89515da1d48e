/** Where parts go: the placement procedure (spec: Canonical encoding, Placement; LLQ-CANON-4). */

import { BLOCK, isInt4, PREAMBLE_BYTES, partLength, rowsCols } from "./layout.js";

/** @typedef {import("./metadata_types.js").TensorEntry} TensorEntry */
/** @typedef {{shard: number, offset: number, first_row: number, num_rows: number}} PlacedPart */

/**
 * Yields the parts of tensors, tensor by tensor; ends with null at a tensor that cannot be stored.
 *
 * @param {Iterable<TensorEntry>} tensors in canonical order
 * @param {number} limit of a shard, in bytes
 * @returns {Generator<[TensorEntry, PlacedPart[]] | null, void, void>}
 */
export function* placedParts(tensors, limit) {
  let shard = -1;
  let position = PREAMBLE_BYTES;
  for (const tensor of tensors) {
    const [rows, cols] = rowsCols(tensor);
    const open = () => {
      shard++;
      position = PREAMBLE_BYTES;
    };
    if (shard < 0 || (position > PREAMBLE_BYTES && position + partLength(tensor.dtype, rows, cols) > limit)) {
      open();
    }
    /** @type {PlacedPart[]} */
    const parts = [];
    for (let row = 0; row < rows; ) {
      if (row > 0) open();
      const count = rowsThatFit(tensor.dtype, rows - row, cols, limit - position);
      if (count === 0) {
        yield null;
        return;
      }
      parts.push({ shard, offset: position, first_row: row, num_rows: count });
      position += partLength(tensor.dtype, count, cols);
      row += count;
    }
    yield [tensor, parts];
  }
}

/**
 * Returns the maximum number of rows that fit: all, or else a multiple of the unit; 0 if none fit.
 *
 * @param {import("./metadata_types.js").Dtype} dtype
 * @param {number} rows
 * @param {number} cols
 * @param {number} room in bytes
 */
function rowsThatFit(dtype, rows, cols, room) {
  if (partLength(dtype, rows, cols) <= room) return rows;
  const unit = isInt4(dtype) ? BLOCK : 1;
  let low = 0;
  let high = Math.floor((rows - 1) / unit); // in units; the length grows with rows, so halve the interval
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (partLength(dtype, middle * unit, cols) <= room) low = middle;
    else high = middle - 1;
  }
  return low * unit;
}
