// Buffers that are used again: which one serves a request, and the limit to all of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BufferPool, drop } from "../../src/net/buffer_pool.js";

/** Takes bytes that there is room for. @param {BufferPool} pool @param {number} length */
function taken(pool, length) {
  const bytes = pool.take(length);
  assert.ok(bytes !== null);
  assert.equal(bytes.length, length);
  assert.equal(bytes.byteOffset, 0);
  return bytes;
}

test("a buffer that was given back is used again, the shortest that is long enough", () => {
  const pool = new BufferPool(1000);
  const [long, short] = [taken(pool, 300), taken(pool, 200)];
  pool.give(long);
  pool.give(short);
  assert.equal(taken(pool, 160).buffer, short.buffer);
  assert.equal(taken(pool, 160).buffer, long.buffer);
});

test("no buffer is used for less than half of its length while there is room for another", () => {
  const pool = new BufferPool(1000);
  const long = taken(pool, 400);
  pool.give(long);
  assert.equal(taken(pool, 199).buffer.byteLength, 199);
  assert.equal(taken(pool, 200).buffer, long.buffer);
});

test("what there is no room for has to wait, unless nothing is under way", () => {
  const pool = new BufferPool(1000);
  const first = taken(pool, 600);
  assert.equal(pool.take(401), null);
  const second = taken(pool, 400);
  pool.give(second);
  assert.equal(pool.take(401), null);
  assert.equal(second.length, 400); // it was not dropped in vain
  pool.give(first);
  const third = taken(pool, 5000);
  assert.equal(pool.take(1), null);
  pool.give(third);
  assert.equal(taken(pool, 1).buffer.byteLength, 1);
});

test("buffers that do not fit make room, and no more of them than needed", () => {
  const pool = new BufferPool(1000);
  const all = [taken(pool, 300), taken(pool, 300), taken(pool, 300)];
  for (const bytes of all) pool.give(bytes);
  taken(pool, 700);
  assert.deepEqual(
    all.map(({ length }) => length),
    [0, 0, 300],
  );
});

test("a buffer that comes back from another thread counts as the one that was lent", () => {
  const pool = new BufferPool(1000);
  const bytes = taken(pool, 1000);
  pool.give(structuredClone(bytes, { transfer: [bytes.buffer] }));
  assert.equal(pool.take(1001)?.length, 1001);
});

test("the total length is never above the limit", () => {
  const pool = new BufferPool(100);
  /** @type {Set<ArrayBuffer>} */
  const buffers = new Set();
  /** @type {import("../../src/net/source.js").Bytes[]} */
  const lent = [];
  let state = 1;
  const random = (/** @type {number} */ below) => {
    state = (48271 * state) % 2147483647;
    return state % below;
  };
  for (let step = 0; step < 5000; step++) {
    const bytes = random(2) === 0 ? pool.take(1 + random(60)) : null;
    if (bytes !== null) {
      buffers.add(bytes.buffer);
      lent.push(bytes);
    } else if (lent.length > 0) {
      pool.give(lent.splice(random(lent.length), 1)[0]);
    }
    let total = 0;
    for (const { byteLength } of buffers) total += byteLength;
    assert.ok(total <= 100, `${total} at step ${step}`);
  }
  for (const bytes of lent) pool.give(bytes);
  pool.clear();
  for (const { byteLength } of buffers) assert.equal(byteLength, 0);
});

test("a buffer that is dropped is detached", () => {
  const buffer = new ArrayBuffer(8);
  drop(buffer);
  assert.equal(buffer.byteLength, 0);
});
