// Kernels compile while weights are on their way, so that the first token waits for neither in turn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { loadModel } from "../../src/api/load_model.js";
import { packageFiles } from "../support/packages.mjs";

const files = packageFiles("large"); // several shards, the first of several pieces
const metadata = JSON.parse(new TextDecoder().decode(files.get("metadata.json")));
const program = JSON.parse(new TextDecoder().decode(files.get("program.json")));
const wanted = Object.keys(program.pipelines).sort();

/** A GPUDevice that computes nothing, and tells of each pipeline that is asked for. */
function idleDevice(onPipeline) {
  const made = () => ({ destroy() {}, getCompilationInfo: async () => ({ messages: [] }) });
  return {
    features: new Set(),
    limits: {},
    adapterInfo: {},
    lost: new Promise(() => {}),
    queue: { writeBuffer() {}, submit() {}, onSubmittedWorkDone: async () => {} },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer: ({ label, size }) => ({ label, size, destroy() {} }),
    createShaderModule: made,
    createBindGroupLayout: made,
    createPipelineLayout: made,
    createBindGroup: made,
    createComputePipelineAsync: async ({ compute }) => {
      onPipeline(compute.entryPoint);
      return made();
    },
    destroy() {},
  };
}

/** The package's files; before the last piece of its last shard `gate` is awaited. */
function source(gate) {
  const last = metadata.shards.at(-1).file;
  return {
    metadata: async () => files.get("metadata.json"),
    async *pieces(entry, pieces) {
      for (const { offset, length } of pieces) {
        if (entry.file === last && offset + length === entry.byte_length) await gate;
        yield files.get(entry.file).slice(offset, offset + length);
      }
    },
  };
}

test("all kernels were asked for before the last weights came, and none after", {
  timeout: 60_000,
}, async () => {
  const before = [];
  let arrived = false;
  const { promise: gate, resolve: open } = defer();
  const device = idleDevice((entryPoint) => {
    assert.equal(arrived, false, `${entryPoint} was asked for when all weights were there`);
    before.push(entryPoint);
    if (before.length === wanted.length) open();
  });
  const onProgress = ({ phase, loaded, total }) =>
    (arrived ||= phase === "weights" && total > 0 && loaded === total);
  // a loader that compiles after it has loaded waits for the gate for ever, and the test times out
  const model = await loadModel("http://package.invalid/", {
    device,
    source: source(gate),
    cache: false,
    onProgress,
  });
  assert.deepEqual(before.sort(), wanted);
  assert.equal(arrived, true);
  model.dispose();
});

function defer() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
