/** WebGPU for Node: npm `webgpu`, which is Dawn. */

import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

/**
 * Returns the GPU object of this process, to be given to `loadModel` as `device`.
 *
 * @param {string[]} [options] of Dawn, such as `backend=vulkan`
 * @returns {Promise<GPU>}
 */
export async function nodeGpu(options = []) {
  const { create, globals } = await import("webgpu").catch(ofWorkingDirectory);
  Object.assign(globalThis, globals);
  return create(options);
}

/** Returns the package as the working directory has it: a bundle may lie where nothing is installed. */
async function ofWorkingDirectory() {
  const found = createRequire(`${process.cwd()}/`).resolve("webgpu");
  return import(pathToFileURL(found).href);
}
