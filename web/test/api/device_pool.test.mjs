// Devices of the suite's scenarios are used again, with what was compiled on them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { poolOf } from "../../harness/device_pool.js";
import { disguised } from "../support/disguise.mjs";

/** Returns a platform that counts what is made on its devices. */
function countingGpu() {
  /** @type {Record<string, number>} */
  const counts = { devices: 0, module: 0, bindings: 0, layout: 0, pipeline: 0, buffers: 0, listeners: 0 };
  const made = (/** @type {string} */ kind, object = {}) => {
    counts[kind]++;
    return object;
  };
  const gpu = {
    wgslLanguageFeatures: new Set(),
    requestAdapter: async () => ({
      features: new Set(),
      limits: {},
      info: {},
      async requestDevice() {
        let lose = (/** @type {unknown} */ _info) => {};
        const lost = new Promise((resolve) => {
          lose = resolve;
        });
        return made("devices", {
          lost,
          destroy: () => lose({ reason: "destroyed" }),
          addEventListener: () => counts.listeners++,
          removeEventListener: () => counts.listeners--,
          createShaderModule: (/** @type {{code: string}} */ { code }) =>
            made("module", {
              getCompilationInfo: async () => ({ messages: code === "bad" ? [{ type: "error" }] : [] }),
            }),
          createBindGroupLayout: () => made("bindings"),
          createPipelineLayout: () => made("layout"),
          createComputePipelineAsync: async () => made("pipeline"),
          createBuffer: () => made("buffers", { destroy: () => counts.buffers-- }),
        });
      },
    }),
  };
  return { counts, gpu: /** @type {GPU} */ (disguised(gpu)) };
}

/** Opens a device as a runtime does. @param {GPU} gpu @param {GPUDevice[]} [devices] @param {string[]} [features] */
async function opened(gpu, devices = [], features = []) {
  const adapter = await poolOf(gpu).gpu(devices).requestAdapter();
  assert.ok(adapter !== null);
  return adapter.requestDevice(disguised({ requiredFeatures: features }));
}

/** Makes two pipelines of a module. @param {GPUDevice} device @param {string} [code] */
async function compile(device, code = "good") {
  const module = device.createShaderModule({ code });
  for (const type of /** @type {const} */ (["storage", "uniform"])) {
    const bindings = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: 4, buffer: { type } }],
    });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [bindings] });
    await device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } });
  }
}

test("a destroyed device is used again, its pipelines are compiled once, its buffers are destroyed", async () => {
  const { counts, gpu } = countingGpu();
  for (let round = 0; round < 20; round++) {
    const device = await opened(gpu);
    device.addEventListener("uncapturederror", () => {});
    for (let n = 0; n < 5; n++) device.createBuffer({ size: 4, usage: 8 });
    await compile(device);
    assert.equal(counts.buffers, 5);
    device.destroy();
    assert.equal((await device.lost).reason, "destroyed");
  }
  assert.deepEqual(counts, {
    devices: 1,
    module: 1,
    bindings: 2,
    layout: 2,
    pipeline: 2,
    buffers: 0,
    listeners: 0,
  });
});

test("devices in use, with other features, or lost are not given to others", async () => {
  const { counts, gpu } = countingGpu();
  /** @type {GPUDevice[]} */
  const devices = [];
  const first = await opened(gpu, devices);
  await opened(gpu, devices);
  assert.equal(counts.devices, 2);
  devices[0].destroy(); // it is lost, as in the question about a loss
  assert.equal((await first.lost).reason, "destroyed");
  first.destroy();
  await opened(gpu, devices);
  assert.equal(counts.devices, 3);
  await opened(gpu, devices, ["shader-f16"]);
  assert.equal(counts.devices, 4);
});

test("another module is compiled, and one that does not compile is made again", async () => {
  const { counts, gpu } = countingGpu();
  const device = await opened(gpu);
  await compile(device, "one");
  await compile(device, "two");
  assert.deepEqual([counts.module, counts.pipeline], [2, 4]);
  await device.createShaderModule({ code: "bad" }).getCompilationInfo();
  await device.createShaderModule({ code: "bad" }).getCompilationInfo();
  assert.equal(counts.module, 4);
});
