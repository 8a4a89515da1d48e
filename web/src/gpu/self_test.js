/** The self-test of a device with a variant: drivers and shader compilers have bugs. */

import { Executor } from "./executor.js";
import { toProgram } from "./program.js";
import { SELF_TEST } from "./self_test_data.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("../package/module.js").Section} Section */
/** @typedef {{ buffer: string, rows: readonly (readonly number[])[], tolerances: readonly number[] }} Output */

const TOKENS = 2;

/**
 * Returns whether norms, their INT8 codes, products, an activation and normalized queries are correct, at ordinary
 * operands and at the ends of their ranges. They use every function that differs between variants.
 * A module without these kernels, or with others of their names, is not tested.
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
  const executor = new Executor(test, device, { context: TOKENS });
  try {
    for (const [name, data] of Object.entries(SELF_TEST.inputs)) {
      executor.write(
        name,
        Uint8Array.from(atob(data), (character) => character.charCodeAt(0)),
      );
    }
    await executor.run("operation", TOKENS);
    for (const output of SELF_TEST.outputs) {
      if (!(await holds(executor, output))) return false;
    }
    return true;
  } finally {
    executor.dispose();
  }
}

/**
 * Returns whether a buffer holds the expected values.
 *
 * @param {Executor} executor
 * @param {Output} output
 */
async function holds(executor, { buffer, rows, tolerances }) {
  const expected = rows.flat();
  const columns = rows[0].length;
  const actual = new Float32Array(await executor.read(buffer, 4 * expected.length));
  return expected.every((value, i) => Math.abs(actual[i] - value) <= tolerances[Math.floor(i / columns)]);
}
