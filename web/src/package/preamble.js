/** The preamble of a shard (spec: Shards and records). */

import { PREAMBLE_BYTES } from "./layout.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const MAGIC = [0x89, 0x4c, 0x4c, 0x51, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Yields the findings of LLQ-SHARD-2 to LLQ-SHARD-6 in the first bytes of a shard.
 *
 * @param {Bytes} bytes at least PREAMBLE_BYTES of them
 * @param {{index: number, count: number, byteLength: number, file: string}} expected
 * @returns {import("./findings.js").Findings}
 */
export function* checkPreamble(bytes, { index, count, byteLength, file }) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_BYTES);
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    yield ["LLQ-SHARD-2", `${file} does not begin with the magic bytes of a shard`];
  }
  const [major, minor] = [view.getUint16(8, true), view.getUint16(10, true)];
  if (major !== 1 || minor !== 0) {
    yield ["LLQ-SHARD-3", `${file} has version ${major}.${minor}, expected 1.0`];
  }
  const [ownIndex, ownCount] = [view.getUint32(12, true), view.getUint32(16, true)];
  if (ownIndex !== index || ownCount !== count) {
    yield ["LLQ-SHARD-4", `${file} is shard ${ownIndex} of ${ownCount}, expected ${index} of ${count}`];
  }
  const length = view.getBigUint64(24, true);
  if (length !== BigInt(byteLength)) {
    yield ["LLQ-SHARD-5", `${file} states a length of ${length} bytes, expected ${byteLength}`];
  }
  if ([...bytes.subarray(20, 24), ...bytes.subarray(32, PREAMBLE_BYTES)].some(Boolean)) {
    yield ["LLQ-SHARD-6", `${file} has reserved bytes that are not zero`];
  }
}
