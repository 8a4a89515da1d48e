/** The elements of a shard, its preamble and its parts, and the spans of whole elements in which it is loaded. */

import { PREAMBLE_BYTES } from "./layout.js";
import { GATHERED_BYTES } from "./part_check.js";

/** @typedef {import("./metadata_types.js").Metadata} Metadata */
/** @typedef {import("./metadata_types.js").Part} Part */
/** @typedef {import("./part_check.js").CheckedTensor} CheckedTensor */
/**
 * @typedef {object} Element the preamble or a part of a shard; it can be copied to a worker
 * @property {number} offset in the shard
 * @property {number} length
 * @property {{index: number, count: number, byteLength: number, file: string} | null} preamble what it has
 *   to state, null for a part
 * @property {{tensor: CheckedTensor, part: Part, ofModel: boolean} | null} part null for the preamble
 */
/**
 * @typedef {object} Span whole elements that follow each other
 * @property {number} offset
 * @property {number} length
 * @property {Element[]} elements
 * @property {boolean} gathered whether it is gathered in memory; otherwise it is one part, which is too long
 */

/** Length in bytes from which a span is complete. */
const SPAN_BYTES = 8 << 20;

/**
 * Returns the elements of a shard, in order; they tile it (LLQ-READ-4).
 *
 * @param {Metadata} metadata
 * @param {number} index of the shard
 * @returns {Element[]}
 */
export function shardElements({ shards, tensors, model }, index) {
  const { file, byte_length: byteLength } = shards[index];
  const preamble = { index, count: shards.length, byteLength, file };
  const ofModel = model !== undefined;
  const parts = tensors
    .flatMap(({ name, dtype, shape, parts }) =>
      parts.filter(({ shard }) => shard === index).map((part) => ({ tensor: { name, dtype, shape }, part })),
    )
    .sort((a, b) => a.part.offset - b.part.offset);
  return [
    { offset: 0, length: PREAMBLE_BYTES, preamble, part: null },
    ...parts.map(({ tensor, part }) => ({
      offset: part.offset,
      length: part.byte_length,
      preamble: null,
      part: { tensor, part, ofModel },
    })),
  ];
}

/**
 * Returns elements in spans. A span ends with the element with which it is long enough, and before an element
 * with which it would be longer than what is gathered in memory.
 *
 * @param {Element[]} elements
 * @returns {Span[]}
 */
export function spansOf(elements) {
  /** @type {Span[]} */
  const spans = [];
  for (const element of elements) {
    const { offset, length } = element;
    const gathered = length <= GATHERED_BYTES;
    const last = spans.at(-1);
    if (
      last === undefined ||
      !gathered ||
      last.length >= SPAN_BYTES ||
      last.length + length > GATHERED_BYTES
    ) {
      spans.push({ offset, length, elements: [element], gathered });
    } else {
      last.elements.push(element);
      last.length += length;
    }
  }
  return spans;
}
