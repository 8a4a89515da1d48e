// Pieces of shards in buffers, and the frequencies of RoPE, however they are cut.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shardsOf, upload } from "../../src/gpu/upload.js";
import { disguised } from "../support/disguise.mjs";
import { memoryDevice } from "../support/memory_device.mjs";

/** @typedef {import("../../src/package/metadata_types.js").Metadata} Metadata */

const SHARD_BYTES = 1280;
const FREQUENCIES = Float32Array.from({ length: 128 }, (_, i) => 1 / (i + 1));
const PROGRAM = {
  weights: new Map([["w", { shard: 1, offset: 256, size: 256 }]]),
  buffers: new Map([["table", { purpose: "table", bytes: 0, bytes_per_position: 1024, init: "rope" }]]),
};
/** @type {import("../../src/gpu/program.js").Program} */
const program = disguised(PROGRAM);

/**
 * Returns a package of three shards; the first two hold one half of the frequencies each.
 *
 * @param {number} pieceBytes
 */
function packageOf(pieceBytes) {
  const shards = [0, 1, 2].map((index) => new Uint8Array(SHARD_BYTES).fill(index + 1));
  const bytes = new Uint8Array(FREQUENCIES.buffer);
  shards[0].set(bytes.subarray(0, 256), 768);
  shards[1].set(bytes.subarray(256), 512);
  const part = { byte_length: 256, num_rows: 64, sha256: "" };
  /** @type {Metadata} */
  const metadata = disguised({
    model: {},
    shards: shards.map((_, index) => ({ file: `${index}.llq`, byte_length: SHARD_BYTES, sha256: "" })),
    tensors: [
      {
        name: "rope.inv_freq",
        parts: [
          { ...part, shard: 0, offset: 768, first_row: 0 },
          { ...part, shard: 1, offset: 512, first_row: 64 },
        ],
      },
    ],
  });
  const opened = {
    metadata,
    async *shardPieces(/** @type {number[]} */ indices) {
      for (const shard of indices) {
        for (let offset = 0; offset < SHARD_BYTES; offset += pieceBytes) {
          yield { shard, offset, bytes: shards[shard].slice(offset, offset + pieceBytes) };
        }
      }
    },
  };
  return { shards, opened: /** @type {import("../../src/net/package.js").Package} */ (disguised(opened)) };
}

test("the shards of weights and of the frequencies are needed, in order", () => {
  const { opened } = packageOf(SHARD_BYTES);
  assert.deepEqual(shardsOf(opened.metadata, program), [0, 1]);
  assert.deepEqual(shardsOf(opened.metadata, { ...program, buffers: new Map() }), [1]);
});

for (const pieceBytes of [SHARD_BYTES, 1024, 640, 256, 100]) {
  test(`pieces of ${pieceBytes} bytes`, async () => {
    const { shards, opened } = packageOf(pieceBytes);
    const device = memoryDevice();
    const { invFreq } = await upload(opened, device, program);
    assert.deepEqual(
      device.buffers.map(({ data }) => data),
      shards.slice(0, 2),
    );
    assert.deepEqual(invFreq, FREQUENCIES);
  });
}

test("without a program of RoPE there are no frequencies", async () => {
  const { opened } = packageOf(256);
  const weights = new Map([["w", { shard: 2, offset: 256, size: 256 }]]);
  const { invFreq } = await upload(opened, memoryDevice(), { weights, buffers: new Map() });
  assert.equal(invFreq, null);
});
