/** Stage `parts`: where parts lie, from the metadata alone. */

import { BLOCK, isInt4, PREAMBLE_BYTES, partLength, rowsCols } from "../layout.js";
import { place } from "../placement.js";

/** @typedef {import("../metadata.js").Metadata} Metadata */
/** @typedef {import("../metadata.js").Part} Part */
/** @typedef {import("../metadata.js").TensorEntry} TensorEntry */
/** @typedef {import("../schema.js").Finding} Finding */
/** @typedef {Generator<Finding, void, void>} Findings */

/**
 * Yields the findings of the stage; the metadata break no rule of an earlier one.
 *
 * @param {Metadata} metadata
 * @returns {Findings}
 */
export function* checkParts(metadata) {
  const alone = [...tensors(metadata), ...shardLengths(metadata)];
  yield* alone;
  if (alone.some(([rule]) => BEFORE_TILING.has(rule))) return;
  const together = [...tiling(metadata)];
  yield* together;
  if (alone.length + together.length === 0) yield* placement(metadata);
}

/** Only where these hold does it mean something to ask whether parts tile their shards. */
const BEFORE_TILING = new Set(["LLQ-PART-3", "LLQ-PART-4", "LLQ-PART-5", "LLQ-SHARD-1"]);

/** @param {Metadata} metadata @returns {Findings} */
function* tensors({ tensors, shards }) {
  for (const tensor of tensors) {
    const [rows, cols] = rowsCols(tensor);
    let row = 0;
    for (const [i, part] of tensor.parts.entries()) {
      const where = `${tensor.name}, part ${i}`;
      if (part.first_row !== row)
        yield ["LLQ-PART-1", `${where} begins with row ${part.first_row}, and not ${row}`];
      row = part.first_row + part.num_rows;
      const last = i === tensor.parts.length - 1;
      if (last && row !== rows) yield ["LLQ-PART-1", `${where} ends with row ${row} of ${rows}`];
      if (isInt4(tensor.dtype) && !last && part.num_rows % BLOCK !== 0) {
        yield ["LLQ-PART-2", `${where} has ${part.num_rows} rows, which are not whole block rows`];
      }
      if (part.shard >= shards.length)
        yield ["LLQ-PART-3", `${where} lies in shard ${part.shard} of ${shards.length}`];
      if (part.offset % 256 !== 0) yield ["LLQ-PART-4", `${where} lies at byte ${part.offset}`];
      const length = partLength(tensor.dtype, part.num_rows, cols);
      if (part.byte_length !== length)
        yield ["LLQ-PART-5", `${where} has ${part.byte_length} bytes, and not ${length}`];
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* shardLengths({ shards, shard_limit: limit }) {
  for (const { file, byte_length: length } of shards) {
    if (length % 256 !== 0 || length < 512 || length > limit) {
      yield ["LLQ-SHARD-1", `${file} has ${length} bytes, and not a multiple of 256 from 512 to ${limit}`];
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* tiling({ tensors, shards }) {
  /** @type {{name: string, part: Part}[][]} */
  const held = shards.map(() => []);
  for (const { name, parts } of tensors) for (const part of parts) held[part.shard].push({ name, part });
  for (const [shard, parts] of held.entries()) {
    let end = PREAMBLE_BYTES;
    const length = shards[shard].byte_length;
    for (const { name, part } of parts.sort((a, b) => a.part.offset - b.part.offset)) {
      const stop = part.offset + part.byte_length;
      if (part.offset < PREAMBLE_BYTES || stop > length) {
        yield ["LLQ-PART-6", `${name}: bytes ${part.offset} to ${stop} of a shard of ${length}`];
      } else if (part.offset < end) {
        yield ["LLQ-PART-7", `${name} shares bytes with its neighbour`];
      } else if (part.offset > end) {
        yield ["LLQ-PART-8", `before ${name} bytes are unused`];
      }
      end = Math.max(end, stop);
    }
    if (end < length) yield ["LLQ-PART-9", `shard ${shard} has ${length} bytes, its parts end at ${end}`];
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* placement({ tensors, shard_limit: limit }) {
  for (const placed of place(tensors, limit)) {
    if (placed === null) {
      yield ["LLQ-CANON-4", `a tensor cannot be stored with a shard_limit of ${limit}`];
      return;
    }
    const [tensor, wanted] = placed;
    const same = (/** @type {any} */ a, /** @type {any} */ b) =>
      ["shard", "offset", "first_row", "num_rows"].every((member) => a?.[member] === b[member]);
    if (tensor.parts.length !== wanted.length || !wanted.every((one, i) => same(tensor.parts[i], one))) {
      yield ["LLQ-CANON-4", `the parts of ${tensor.name} do not lie where they are placed`];
      return; // what follows is shifted, not wrong by itself
    }
  }
}
