/** The self-test of a device with a variant: drivers and shader compilers have bugs. */

import { Executor } from "./executor.js";
import { toProgram } from "./program.js";
import { SELF_TEST } from "./self_test_data.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("../package/module.js").Section} Section */

/**
 * Returns whether a norm, its INT8 codes and a product are correct, which takes every function that differs
 * between
 * variants. A module without these kernels, or with others of their names, is not tested.
 *
 * @param {Device} device
 * @param {ReadonlyMap<string, Section>} sections of the module that the device was opened for
 * @returns {Promise<boolean>}
 */
export async function computesRightly(device, sections) {
  const test = toProgram(SELF_TEST.program);
  const entryPoints = new Set(
    device.variant.sections.flatMap((name) => sections.get(name)?.entryPoints ?? []),
  );
  if (![...test.pipelines.keys()].every((entryPoint) => entryPoints.has(entryPoint))) return true;
  try {
    await device.prepare(test.pipelines);
  } catch (error) {
    if (device.lost === null) return true; // kernels with other bindings
    throw error;
  }
  const executor = new Executor(test, device, { context: 1 });
  try {
    for (const [name, data] of Object.entries(SELF_TEST.inputs)) {
      executor.write(
        name,
        Uint8Array.from(atob(data), (character) => character.charCodeAt(0)),
      );
    }
    await executor.run("operation", 1);
    const { expected, tolerance } = SELF_TEST;
    const actual = new Float32Array(await executor.read("y", 4 * expected.length));
    return expected.every((value, i) => Math.abs(actual[i] - value) <= tolerance);
  } finally {
    executor.dispose();
  }
}
