// A span on its way: how much is under way, and in which order steps are taken.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SpanLane } from "../../src/net/span_lane.js";

const take = (/** @type {number} */ bytes) => new Uint8Array(bytes);

/** Returns steps of 10 bytes, how many were started, and how to end them. @param {number} count */
function stepsOf(count) {
  /** @type {((error?: Error) => void)[]} */
  const ends = [];
  const steps = Array.from({ length: count }, (_, index) => ({
    bytes: 10,
    start: () =>
      new Promise((resolve, reject) => {
        ends[index] = (error) => (error === undefined ? resolve(index) : reject(error));
      }),
  }));
  return { steps, ends };
}

test("steps start while there is room for them, and at least one starts", () => {
  const { steps, ends } = stepsOf(5);
  const lane = new SpanLane(0, steps, 25);
  lane.fill(() => null);
  assert.equal(ends.length, 0);
  assert.equal(lane.head, null);
  let room = 3;
  lane.fill((bytes) => (room-- > 0 ? take(bytes) : null));
  assert.equal(ends.length, 2);
  assert.equal(lane.bytes, 20);
  const narrow = stepsOf(2);
  const long = new SpanLane(1, narrow.steps, 5);
  long.fill(take);
  assert.equal(long.bytes, 10);
});

test("steps are taken in their order, whichever ends first", async () => {
  const { steps, ends } = stepsOf(3);
  const lane = new SpanLane(0, steps, 100);
  lane.fill(take);
  ends[2]();
  ends[1](new Error("the second"));
  ends[0]();
  assert.equal((await lane.head)?.value, 0);
  lane.take();
  assert.equal(lane.isDone, false);
  assert.equal(Object((await lane.head)?.error).message, "the second");
  lane.take();
  assert.equal((await lane.head)?.value, 2);
  lane.take();
  assert.equal(lane.isDone, true);
});
