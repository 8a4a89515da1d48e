/** Stage `parts`: the offsets and sizes of parts, from the metadata alone. */

import { BLOCK, isInt4, PREAMBLE_BYTES, partLength, rowsCols } from "../layout.js";
import { placedParts } from "../placement.js";

/** @typedef {import("../metadata_types.js").Metadata} Metadata */
/** @typedef {import("../metadata_types.js").Part} Part */
/** @typedef {import("../metadata_types.js").TensorEntry} TensorEntry */
/** @typedef {import("../findings.js").Finding} Finding */
/** @typedef {Generator<Finding, void, void>} Findings */

/**
 * Yields the findings of the stage; the metadata break no rule of an earlier stage.
 *
 * @param {Metadata} metadata
 * @returns {Findings}
 */
export function* checkParts(metadata) {
  const ofParts = [...tensors(metadata), ...shardLengths(metadata)];
  yield* ofParts;
  if (ofParts.some(([rule]) => BEFORE_TILING.has(rule))) return;
  const ofShards = [...tiling(metadata)];
  yield* ofShards;
  if (ofParts.length + ofShards.length === 0) yield* placements(metadata);
}

/** Rules without which it cannot be checked whether parts tile their shards. */
const BEFORE_TILING = new Set(["LLQ-PART-3", "LLQ-PART-4", "LLQ-PART-5", "LLQ-SHARD-1"]);

/** @param {Metadata} metadata @returns {Findings} */
function* tensors({ tensors, shards }) {
  for (const tensor of tensors) {
    const [rows, cols] = rowsCols(tensor);
    let row = 0;
    for (const [i, part] of tensor.parts.entries()) {
      const place = `${tensor.name}, part ${i}`;
      if (part.first_row !== row) {
        yield ["LLQ-PART-1", `${place} begins with row ${part.first_row}, expected ${row}`];
      }
      row = part.first_row + part.num_rows;
      const last = i === tensor.parts.length - 1;
      if (last && row !== rows) yield ["LLQ-PART-1", `${place} ends after row ${row}, expected ${rows}`];
      if (isInt4(tensor.dtype) && !last && part.num_rows % BLOCK !== 0) {
        yield ["LLQ-PART-2", `${place} has ${part.num_rows} rows, expected a multiple of 64`];
      }
      if (part.shard >= shards.length) {
        yield ["LLQ-PART-3", `${place} is in shard ${part.shard}, expected less than ${shards.length}`];
      }
      if (part.offset % 256 !== 0) {
        yield ["LLQ-PART-4", `${place} has offset ${part.offset}, expected a multiple of 256`];
      }
      const length = partLength(tensor.dtype, part.num_rows, cols);
      if (part.byte_length !== length) {
        yield ["LLQ-PART-5", `${place} has ${part.byte_length} bytes, expected ${length}`];
      }
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* shardLengths({ shards, shard_limit: limit }) {
  for (const { file, byte_length: length } of shards) {
    if (length % 256 !== 0 || length < 512 || length > limit) {
      yield ["LLQ-SHARD-1", `${file} has ${length} bytes, expected a multiple of 256 from 512 to ${limit}`];
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* tiling({ tensors, shards }) {
  /** @type {{name: string, part: Part}[][]} */
  const partsOfShards = shards.map(() => []);
  for (const { name, parts } of tensors) {
    for (const part of parts) partsOfShards[part.shard].push({ name, part });
  }
  for (const [shard, parts] of partsOfShards.entries()) {
    let end = PREAMBLE_BYTES;
    const length = shards[shard].byte_length;
    for (const { name, part } of parts.sort((a, b) => a.part.offset - b.part.offset)) {
      const stop = part.offset + part.byte_length;
      if (part.offset < PREAMBLE_BYTES || stop > length) {
        yield ["LLQ-PART-6", `${name}: bytes ${part.offset} to ${stop} of a shard of ${length}`];
      } else if (part.offset < end) {
        yield ["LLQ-PART-7", `${name} overlaps the preceding part`];
      } else if (part.offset > end) {
        yield ["LLQ-PART-8", `there are unused bytes before ${name}`];
      }
      end = Math.max(end, stop);
    }
    if (end < length) {
      yield ["LLQ-PART-9", `shard ${shard} has ${length} bytes, its parts end at byte ${end}`];
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* placements({ tensors, shard_limit: limit }) {
  for (const placement of placedParts(tensors, limit)) {
    if (placement === null) {
      yield [
        "LLQ-CANON-4",
        `a tensor has no room in shards of at most ${limit} bytes: use a larger shard_limit`,
      ];
      return;
    }
    const [tensor, parts] = placement;
    if (tensor.parts.length !== parts.length || !parts.every((part, i) => isSame(tensor.parts[i], part))) {
      yield ["LLQ-CANON-4", `the parts of ${tensor.name} differ from the result of the placement procedure`];
      return; // what follows is shifted, not wrong by itself
    }
  }
}

/** @param {Part} part @param {import("../placement.js").PlacedPart} expected */
function isSame(part, expected) {
  return (
    part.shard === expected.shard &&
    part.offset === expected.offset &&
    part.first_row === expected.first_row &&
    part.num_rows === expected.num_rows
  );
}
