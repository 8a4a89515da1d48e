/**
 * webgpu-llama4: runs LLQ packages on WebGPU (spec: Execution program).
 *
 * @module webgpu-llama4
 */

/** @typedef {{role: string, content: string}} Message one message of a chat */
/**
 * @typedef {object} Progress
 * @property {"metadata" | "program" | "device" | "pipelines" | "weights" | "tokenizer" | "ready"} phase
 * @property {string} file the file that arrives
 * @property {number} loaded bytes of all weights that have arrived and were checked
 * @property {number} total bytes of all weights
 * @property {number} bytesPerSecond over the last seconds, of what came from the network; 0 where unknown
 * @property {number | null} secondsLeft null where unknown
 * @property {boolean} cached whether the file comes from the cache
 */
/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {boolean} [cache] keep checked files for later loads; true where the platform has storage
 * @property {GPUDevice | GPU} [device] a device to use, or the GPU object of a host that has no navigator.gpu
 * @property {number} [contextLength] positions of the KV cache; at most the program's; 2048 unless told
 */
/**
 * @typedef {object} InferOptions
 * @property {number} [maxTokens] 128 unless told
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [topK] 0 keeps all
 * @property {number} [topP] 1 keeps all
 * @property {number | bigint} [seed] of 64 bits; drawn at random unless told
 * @property {string | string[]} [stop] texts that end the answer; they are left out of it
 * @property {AbortSignal} [signal] aborting rejects with an AbortError; what was yielded stays
 */
/** @typedef {{promptTokens: number, completionTokens: number, totalTokens: number}} Usage */
/** @typedef {"stop" | "length" | "aborted"} FinishReason */
/**
 * @typedef {object} Stream an async iterable of pieces of text; a piece never splits a character
 * @property {Usage} usage grows with the stream
 * @property {FinishReason | null} finishReason null until the stream has ended
 */

/**
 * Thrown where something is not written yet.
 */
function notImplemented() {
  return new Error("not implemented");
}

export const WebGPULlama4 = {
  /**
   * Loads a package: url is its directory, its metadata.json or its .wgsl.
   *
   * @param {string | URL} _url
   * @param {LoadOptions} [_options]
   * @returns {Promise<Model>}
   */
  async loadModel(_url, _options = {}) {
    throw notImplemented();
  },
  /**
   * Loads a tokenizer: a tokenizer.json, or a vocab.json with a merges.txt beside it.
   *
   * @param {string | URL} _vocabUrl
   * @returns {Promise<Tokenizer>}
   */
  async createTokenizer(_vocabUrl) {
    throw notImplemented();
  },
  cache: {
    /** @returns {Promise<{url: string, bytes: number}[]>} the packages in the cache */
    async list() {
      throw notImplemented();
    },
    /** Deletes a package from the cache; all, where no url is given. @param {string} [_url] */
    async clear(_url) {
      throw notImplemented();
    },
  },
};

/** A package on a device. `model.tokenizer` is the package's, and may be replaced. */
export class Model {
  /** @param {string | Message[]} _prompt @param {InferOptions} [_options] @returns {Promise<string>} */
  async infer(_prompt, _options) {
    throw notImplemented();
  }
  /** @param {string | Message[]} _prompt @param {InferOptions} [_options] @returns {Stream & AsyncIterable<string>} */
  stream(_prompt, _options) {
    throw notImplemented();
  }
  /** @returns {Promise<object>} as spec/schema/profile.schema.json has it */
  async profile() {
    throw notImplemented();
  }
  /** What the device is: {name, vendor, architecture, variant, software}. */
  get device() {
    throw notImplemented();
  }
  /** Bytes on the device by purpose: {weights, activation, kv_cache, state, table, parameters}. */
  memory() {
    throw notImplemented();
  }
  /** Lets the device go. */
  dispose() {
    throw notImplemented();
  }
}

export class Tokenizer {
  /** @param {string} _text @returns {number[]} */
  encode(_text) {
    throw notImplemented();
  }
  /** @param {number[]} _ids @returns {string} */
  decode(_ids) {
    throw notImplemented();
  }
}

/** The class of all errors of this package: `code` is stable, `rule` the rule of LLQ that was broken, or null. */
export class LLQError extends Error {
  /** @type {string} */
  code = "llq";
  /** @type {string | null} */
  rule = null;
}
export class UnsupportedError extends LLQError {}
export class PackageError extends LLQError {}
export class NetworkError extends LLQError {}
export class DeviceError extends LLQError {}
export class DeviceLostError extends DeviceError {}
export class ContextError extends LLQError {}
