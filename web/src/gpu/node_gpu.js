/** WebGPU for Node: npm `webgpu`, which is Dawn. */

import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

import { UnsupportedError } from "../errors.js";

/** @type {Set<GPU>} they must not be collected before their devices, which die with them in Dawn */
const gpuObjects = new Set();

/**
 * Returns the GPU object of this process, for option `device` of `loadModel`.
 *
 * @param {string[]} [options] of Dawn, such as `backend=vulkan`
 * @returns {Promise<GPU>}
 * @throws {UnsupportedError} `no-webgpu` where that package is installed neither with this one nor in the
 *   working directory
 */
export async function nodeGpu(options = []) {
  const { create, globals } = await import("webgpu").catch(ofWorkingDirectory);
  Object.assign(globalThis, globals);
  const gpu = create(options);
  gpuObjects.add(gpu);
  return gpu;
}

/** Imports the package from the working directory: a bundle may be where nothing is installed. */
async function ofWorkingDirectory() {
  const directory = process.cwd();
  let path;
  try {
    path = createRequire(`${directory}/`).resolve("webgpu");
  } catch (cause) {
    throw new UnsupportedError(`npm's webgpu is not installed: run npm install webgpu in ${directory}`, {
      code: "no-webgpu",
      cause,
    });
  }
  return import(pathToFileURL(path).href);
}
