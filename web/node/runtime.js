/** WebGPU for Node: npm `webgpu`, which is Dawn. */

import { create, globals } from "webgpu";

/**
 * Returns the GPU object of this process, to be given to `loadModel` as `device`.
 *
 * @param {string[]} [options] of Dawn, such as `backend=vulkan`
 * @returns {GPU}
 */
export function nodeGpu(options = []) {
  Object.assign(globalThis, globals);
  return create(options);
}
