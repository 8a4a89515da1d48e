/** WebGPU for Node: npm `webgpu`, which is Dawn. */

import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

import { UnsupportedError } from "../errors.js";

/** @type {Set<GPU>} Dawn's devices die with the object that they come from: it must not be collected before them. */
const kept = new Set();

/**
 * Returns the GPU object of this process, to be given to `loadModel` as `device`.
 *
 * @param {string[]} [options] of Dawn, such as `backend=vulkan`
 * @returns {Promise<GPU>}
 * @throws {UnsupportedError} `no-webgpu` where that package is installed neither here nor in the working directory
 */
export async function nodeGpu(options = []) {
  const { create, globals } = await import("webgpu").catch(ofWorkingDirectory);
  Object.assign(globalThis, globals);
  const gpu = create(options);
  kept.add(gpu);
  return gpu;
}

/** Returns the package as the working directory has it: a bundle may lie where nothing is installed. */
async function ofWorkingDirectory() {
  const here = process.cwd();
  let found;
  try {
    found = createRequire(`${here}/`).resolve("webgpu");
  } catch (cause) {
    throw new UnsupportedError(`npm's webgpu is not installed: run npm install webgpu in ${here}`, {
      code: "no-webgpu",
      cause,
    });
  }
  return import(pathToFileURL(found).href);
}
