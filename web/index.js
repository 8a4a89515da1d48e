/**
 * webgpu-llama4: runs LLQ packages on WebGPU, as they are stored (spec: Execution program, Runtime API).
 *
 * @module webgpu-llama4
 */

import { cache } from "./src/api/cache.js";
import { createTokenizer } from "./src/api/create_tokenizer.js";
import { inWorker } from "./src/api/in_worker.js";
import { loadModel } from "./src/api/load_model.js";

/** @typedef {import("./src/api/load_options.js").LoadOptions} LoadOptions */
/** @typedef {import("./src/api/sequence.js").DeviceReport} DeviceReport */
/** @typedef {import("./src/gpu/profile.js").ProfileReport} ProfileReport */
/** @typedef {import("./src/net/progress.js").Progress} Progress */
/** @typedef {import("./src/text/text_stream.js").FinishReason} FinishReason */
/** @typedef {import("./src/api/infer_options.js").InferOptions} InferOptions */
/** @typedef {import("./src/api/sessions.js").SessionOptions} SessionOptions */
/** @typedef {import("./src/text/text_stream.js").Usage} Usage */
/** @typedef {import("./src/text/tokenizer.js").Message} Message */

export { Model } from "./src/api/model.js";
export { Session } from "./src/api/session.js";
export * from "./src/errors.js";
export { TextStream } from "./src/text/text_stream.js";
export { Tokenizer } from "./src/text/tokenizer.js";

/** The standard's API. */
export const WebGPULlama4 = {
  loadModel,
  inWorker,
  createTokenizer,
  /** What earlier loads stored on this platform. */
  cache,
};
