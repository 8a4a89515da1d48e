// Kernels compile while weights are on their way: the first token does not wait for one after the other.

import assert from "node:assert/strict";
import { test } from "node:test";

import { loadModel } from "../../src/api/load_model.js";
import { disguised } from "../support/disguise.mjs";
import { memoryStorage } from "../support/memory_storage.mjs";
import { fileOf, packageFiles } from "../support/packages.mjs";
import { milliseconds } from "../support/timeouts.mjs";

const files = packageFiles("large"); // several shards, the first of several pieces
/** @type {import("../../src/package/metadata_types.js").Metadata} */
const metadata = JSON.parse(new TextDecoder().decode(fileOf(files, "metadata.json")));
/** @type {import("../../src/package/program_types.js").ProgramFile} */
const program = JSON.parse(new TextDecoder().decode(fileOf(files, "program.json")));
const entryPoints = Object.keys(program.pipelines).sort();

/**
 * Returns a device that computes nothing, and reports each pipeline that is compiled.
 *
 * @param {(entryPoint: string) => void} onPipeline
 * @returns {GPUDevice}
 */
function idleDevice(onPipeline) {
  const object = () => ({ destroy() {}, getCompilationInfo: async () => ({ messages: [] }) });
  return disguised({
    features: new Set(),
    limits: {},
    adapterInfo: {},
    lost: new Promise(() => {}),
    queue: { writeBuffer() {}, submit() {} },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer: (/** @type {GPUBufferDescriptor} */ { label, size }) => ({
      label,
      size,
      destroy() {},
      getMappedRange: () => new ArrayBuffer(size),
      unmap() {},
      mapAsync: async () => {},
    }),
    createCommandEncoder: () => ({ copyBufferToBuffer() {}, finish: object }),
    createShaderModule: object,
    createBindGroupLayout: object,
    createPipelineLayout: object,
    createBindGroup: object,
    createComputePipelineAsync: async (/** @type {GPUComputePipelineDescriptor} */ { compute }) => {
      onPipeline(String(compute.entryPoint));
      return object();
    },
    destroy() {},
  });
}

/**
 * Returns the source of the package, which waits before the last piece of the last shard.
 *
 * @param {Promise<void>} gate
 * @returns {import("../../src/net/source.js").Source}
 */
function source(gate) {
  const last = metadata.shards[metadata.shards.length - 1].file;
  return {
    metadata: async () => fileOf(files, "metadata.json"),
    async piece(entry, { offset, length }) {
      if (entry.file === last && offset + length === entry.byte_length) await gate;
      return fileOf(files, entry.file).slice(offset, offset + length);
    },
  };
}

/** @returns {{promise: Promise<void>, open: () => void}} */
function closedGate() {
  let open = () => {};
  /** @type {Promise<void>} */
  const promise = new Promise((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

test("all kernels compile before the last weights come", { timeout: milliseconds(60) }, async () => {
  /** @type {string[]} */
  const compiled = [];
  let arrived = false;
  const gate = closedGate();
  const device = idleDevice((entryPoint) => {
    assert.equal(arrived, false, `${entryPoint} began to compile when all weights were there`);
    compiled.push(entryPoint);
    if (compiled.length === entryPoints.length) gate.open();
  });
  // a loader that compiles after it has loaded waits for the gate for ever, and the test times out
  const model = await loadModel("http://package.invalid/", {
    device,
    source: source(gate.promise),
    cache: false,
    onProgress({ phase, loaded, total }) {
      arrived ||= phase === "weights" && total > 0 && loaded === total;
    },
  });
  assert.deepEqual(compiled.sort(), entryPoints);
  assert.equal(arrived, true);
  model.dispose();
});

/** Waits until a load has stored the metadata, which come last. @param {CacheStorage} storage */
async function isComplete(storage) {
  for (;;) {
    const requests = await (await storage.open("")).keys();
    if (requests.some(({ url }) => url.includes("/metadata?"))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("progress reports what was stored as cached, and nothing else", {
  timeout: milliseconds(60),
}, async () => {
  const cache = memoryStorage();
  const load = async (/** @type {CacheStorage | false} */ storage) => {
    /** @type {boolean[]} */
    const cached = [];
    const model = await loadModel("http://package.invalid/", {
      device: idleDevice(() => {}),
      source: source(Promise.resolve()),
      cache: storage,
      onProgress: (progress) => {
        if (progress.phase === "weights" && progress.loaded > 0) cached.push(progress.cached);
      },
    });
    model.dispose();
    if (storage) await isComplete(storage);
    return cached;
  };
  for (const [storage, expected] of /** @type {const} */ ([
    [false, false],
    [cache, false],
    [cache, true],
    [false, false],
  ])) {
    const cached = await load(storage);
    assert.ok(cached.length > 2 && cached.every((each) => each === expected), String(cached));
  }
});
