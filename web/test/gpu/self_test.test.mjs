// A device that computes wrongly with a variant is not used with it. Needs a GPU, or SwiftShader.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { directorySource } from "../../harness/directory_source.js";
import { directory } from "../../node/directory.js";
import { LLQError } from "../../src/errors.js";
import { readExecution } from "../../src/gpu/execution.js";
import { nodeGpu } from "../../src/gpu/node_gpu.js";
import { openDevice } from "../../src/gpu/open_device.js";
import { computesRightly } from "../../src/gpu/self_test.js";
import { Package } from "../../src/net/package.js";

const LARGE = fileURLToPath(new URL("../packages/large", import.meta.url));
const gpu = await nodeGpu();
const { program, sections } = await readExecution(await Package.open(directorySource(directory(LARGE))));

/**
 * Returns the sections of the module, one of them with another text.
 *
 * @param {string} name
 * @param {string} old
 * @param {string} text
 */
function swapped(name, old, text) {
  const section = sections.get(name);
  assert.ok(section !== undefined, `there is no section ${name}`);
  assert.ok(section.text.includes(old), `section ${name} has no ${old}`);
  return new Map(sections).set(name, { ...section, text: section.text.replaceAll(old, text) });
}

/** @param {typeof sections} changed @param {import("../../src/gpu/open_device.js").DeviceChoice} [options] */
async function variantOf(changed, options = {}) {
  const device = await openDevice(program, changed, { gpu, ...options });
  device.destroy();
  return device.variant.name;
}

test("what our kernels compute is right with every variant that the device has", async () => {
  for (const { name } of program.variants) {
    let device;
    try {
      device = await openDevice(program, sections, { gpu, variant: name });
    } catch (error) {
      assert.ok(error instanceof LLQError);
      assert.equal(error.code, "no-variant", name);
      continue;
    }
    assert.equal(device.variant.name, name);
    assert.equal(await computesRightly(device, sections), true, name);
    device.destroy();
  }
});

test("a variant that computes wrongly is passed over, and refused where it is asked for", async () => {
  const faulty = swapped("dot_packed", "dot4I8Packed(a, b)", "dot4I8Packed(a, b) + 1");
  assert.notEqual(await variantOf(sections), "portable");
  assert.equal(await variantOf(faulty), "portable");
  await assert.rejects(variantOf(faulty, { variant: "packed-dot" }), { name: "DeviceError", code: "wrong" });
});

for (const [name, old, text] of [
  ["half_portable", "unpack2x16float(word)", "unpack2x16float(word).yx"],
  ["reduce_portable", "+", "-"],
  ["reduce_portable", "vec2(v, 0.0), lane).x", "vec2(v, 0.0), lane).x + v"],
  ["vector_int8", "127.0 / (power * ", "select(127.0, 0.0, largest > 0x1p+126) / (power * "],
  ["activate", "exp(-min(abs(z), vec4(87.0)))", "exp(-min(abs(z), vec4(80.0)))"],
]) {
  test(`the test sees a wrong ${name}: ${old}`, async () => {
    const faulty = swapped(name, old, text);
    const device = await openDevice(program, faulty, { gpu, variant: "portable" });
    assert.equal(await computesRightly(device, faulty), false);
    device.destroy();
  });
}

test("a module of other kernels is taken as it is", async () => {
  const faulty = new Map(swapped("dot_packed", "dot4I8Packed(a, b)", "dot4I8Packed(a, b) + 1"));
  for (const [name, section] of faulty) {
    const entryPoints = section.entryPoints.filter((entryPoint) => entryPoint !== "matvec_int8");
    faulty.set(name, { ...section, entryPoints });
  }
  assert.notEqual(await variantOf(faulty), "portable");
});

test.after(() => setTimeout(() => process.exit(), 100)); // Dawn keeps the process alive
