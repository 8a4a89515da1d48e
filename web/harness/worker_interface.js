/** The interface whose models are in workers: devices are theirs, so the suite passes none. */

import { WebGPULlama4 } from "../index.js";

/** @type {import("./interface.js").Interface} */
export const WORKER_INTERFACE = {
  loadModel: (url, { device: _, ...options }) => WebGPULlama4.inWorker(url, options),
  inWorker: WebGPULlama4.inWorker,
  createTokenizer: WebGPULlama4.createTokenizer,
};
