/** The interface whose models are in workers: devices are theirs, so the suite passes none. */

import { WebGPULlama4 } from "../index.js";

/** @type {import("./interface.js").Interface} */
export const WORKER_INTERFACE = {
  loadModel: (url, { device, ...options }) =>
    WebGPULlama4.inWorker(url, hasAdapters(device) ? options : { device, ...options }),
  inWorker: WebGPULlama4.inWorker,
  createTokenizer: WebGPULlama4.createTokenizer,
};

/** @param {unknown} device whether it is the GPU object that the suite passes to every load */
function hasAdapters(device) {
  return typeof device === "object" && device !== null && "requestAdapter" in device;
}
