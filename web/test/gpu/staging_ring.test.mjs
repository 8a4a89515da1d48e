// Staging buffers: what arrives, how many there are, and failures of the device.

import assert from "node:assert/strict";
import { test } from "node:test";

import { StagingRing } from "../../src/gpu/staging_ring.js";
import { memoryDevice } from "../support/memory_device.mjs";

const SIZE = 1024;

/** Returns a device, a buffer on it, and the staging buffers that are made. */
function target() {
  const device = memoryDevice();
  /** @type {GPUBuffer[]} */
  const staging = [];
  const { createBuffer } = device.gpu;
  device.gpu.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    if (descriptor.label === "staging") staging.push(buffer);
    return buffer;
  };
  const buffer = device.gpu.createBuffer({ label: "target", size: SIZE, usage: 0 });
  return { device, buffer, staging };
}

test("bytes of any length arrive, through three buffers at most", async () => {
  for (const longest of [4, 100, SIZE, 10 * SIZE]) {
    const { device, buffer, staging } = target();
    const ring = new StagingRing(device, longest);
    const bytes = Uint8Array.from({ length: SIZE }, (_, index) => index * 7);
    await ring.write(buffer, 0, bytes.subarray(0, 300));
    await ring.write(buffer, 300, bytes.subarray(300));
    assert.deepEqual(device.buffers[0].data, bytes);
    assert.ok(staging.length <= 3 && staging.every(({ size }) => size === longest));
    ring.destroy();
    assert.ok(staging.every((each) => Object(each).destroyed));
  }
});

test("a buffer that cannot be mapped again is an error of the device", async () => {
  const { device, buffer, staging } = target();
  const ring = new StagingRing(device, 4);
  const writing = ring.write(buffer, 0, new Uint8Array(12));
  await writing;
  const [first] = staging;
  first.mapAsync = () => Promise.reject(new DOMException("lost", "AbortError"));
  await ring.write(buffer, 0, new Uint8Array(4)); // uses the first again, which is not mapped afterwards
  await ring.write(buffer, 0, new Uint8Array(8));
  await assert.rejects(ring.write(buffer, 0, new Uint8Array(4)), /a staging buffer cannot be mapped/);
});

test("without memory for a staging buffer the error is typed", async () => {
  const { device, buffer } = target();
  /** @type {unknown[]} */
  const codes = [];
  device.failure = (what, _cause, code) => {
    codes.push(code);
    return new Error(what);
  };
  device.scoped = async () => {
    throw new RangeError("createBuffer: mappedAtCreation");
  };
  const ring = new StagingRing(device, SIZE);
  await assert.rejects(ring.write(buffer, 0, new Uint8Array(4)), /1024 bytes: not enough memory/);
  assert.deepEqual(codes, ["out-of-memory"]);
});
