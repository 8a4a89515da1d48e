// Which positions of a KV cache are kept for another sequence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CacheRecord } from "../../src/gpu/cache_record.js";

const CHUNK = 4;

/** Returns a record of chunks that pass prefill computed. @param {...number[]} chunks */
function recordOf(...chunks) {
  const record = new CacheRecord();
  for (const chunk of chunks) record.addChunk(chunk);
  return record;
}

test("whole chunks are kept, but never the last chunk of the sequence", () => {
  const record = recordOf([0, 1, 2, 3], [4, 5, 6, 7], [8, 9]);
  const kept = (/** @type {number[]} */ ids) => record.commonChunks(ids, CHUNK);
  assert.equal(kept([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 8);
  assert.equal(kept([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 8);
  assert.equal(kept([0, 1, 2, 3, 4, 5, 6, 7]), 4);
  assert.equal(kept([0, 1, 2, 3, 4]), 4);
  assert.equal(kept([0, 1, 2, 3]), 0);
  assert.equal(kept([0, 1, 2, 9, 4, 5, 6, 7, 8]), 0);
  assert.equal(kept([0, 1, 2, 3, 4, 5, 6, 8, 8]), 4);
  assert.equal(kept([0]), 0);
  assert.equal(kept([]), 0);
});

test("a shorter chunk, a chunk after one, and what another pass computed are not kept as chunks", () => {
  const record = recordOf([0, 1, 2, 3], [4, 5]);
  record.addChunk([6, 7, 8, 9]);
  const ids = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  assert.equal(record.commonChunks(ids, CHUNK), 4);
  const decoded = recordOf([0, 1, 2, 3]);
  decoded.add([4]);
  decoded.addChunk([5, 6, 7, 8]);
  assert.equal(decoded.commonChunks(ids, CHUNK), 4);
  assert.equal(decoded.common(ids), 9);
});

test("whichever pass computed a position, it is common, but never the last id of the sequence", () => {
  const record = recordOf([0, 1, 2, 3]);
  record.add([4, 5]);
  assert.equal(record.common([0, 1, 2, 3, 4, 5, 6]), 6);
  assert.equal(record.common([0, 1, 2, 3, 4, 5]), 5);
  assert.equal(record.common([0, 1, 2, 3, 9, 5, 6]), 4);
  assert.equal(record.common([0]), 0);
  assert.equal(record.common([]), 0);
});

test("positions that are cut are forgotten, with the chunk that they end", () => {
  const record = recordOf([0, 1, 2, 3], [4, 5, 6, 7]);
  record.cut(6);
  assert.equal(record.length, 6);
  assert.equal(record.commonChunks([0, 1, 2, 3, 4, 5, 6, 7, 8], CHUNK), 4);
  record.addChunk([6, 7, 8, 9]); // does not begin where the last whole chunk ends
  assert.equal(record.commonChunks([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], CHUNK), 4);
  record.cut(4);
  record.addChunk([4, 5, 6, 7]);
  assert.equal(record.commonChunks([0, 1, 2, 3, 4, 5, 6, 7, 8], CHUNK), 8);
  record.cut(9);
  assert.equal(record.length, 8);
});

test("a copy is independent", () => {
  const record = recordOf([0, 1, 2, 3]);
  const copy = record.copy();
  record.cut(0);
  copy.add([4]);
  assert.equal(record.length, 0);
  assert.equal(copy.commonChunks([0, 1, 2, 3, 4, 5], CHUNK), 4);
  assert.equal(copy.length, 5);
});
