/** Adjusted choice: a kernel of the executor before the choice of the package (LLQ-GEN-11, LLQ-PROG-52). */

import { InputError } from "../errors.js";
import { ADJUST_WGSL } from "../gpu/adjust_wgsl.js";
import { STORAGE } from "../gpu/buffer_usage.js";
import { samplingBytes } from "./sampling.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("./sampling.js").Sampling} Sampling */

const WORD_BITS = 32;
const SETTINGS_BYTES = 32;

/** The logit of an id that is not allowed. */
const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

/** The kernel `adjust` on the buffers of an executor. */
export class Adjuster {
  #gpu;
  #pipeline;
  #bindings;
  #buffers;
  #vocabSize;

  /**
   * Use `Adjuster.make`.
   *
   * @param {Executor} executor
   * @param {GPUComputePipeline} pipeline
   */
  constructor(executor, pipeline) {
    this.#gpu = executor.device.gpu;
    this.#pipeline = pipeline;
    this.#vocabSize = executor.vocabSize;
    const maskBytes = 4 * Math.ceil(this.#vocabSize / WORD_BITS);
    const buffer = (/** @type {string} */ label, /** @type {number} */ size) =>
      this.#gpu.createBuffer({ label: `adjust ${label}`, size, usage: STORAGE });
    this.#buffers = {
      settings: buffer("settings", SETTINGS_BYTES),
      biases: buffer("biases", 4 * this.#vocabSize),
      allowed: buffer("allowed", maskBytes),
      seen: buffer("seen", maskBytes),
    };
    const bound = ["logits", "sampling", "tokens"].map((name) => executor.resource(name));
    this.#bindings = this.#gpu.createBindGroup({
      label: "adjust",
      layout: pipeline.getBindGroupLayout(0),
      entries: [...bound, ...Object.values(this.#buffers)].map((resource, binding) => ({
        binding,
        resource: { buffer: resource },
      })),
    });
  }

  /** Makes the buffers; the kernel is compiled once on each device. @param {Executor} executor */
  static async make(executor) {
    const { device } = executor;
    const pipeline = await device.kernel("adjust", ADJUST_WGSL);
    return device.scoped("kernel adjust", () => new Adjuster(executor, pipeline));
  }

  /**
   * Takes the parameters of the next choices. The kernel adds the tokens that are chosen. All ids are allowed.
   *
   * @param {Sampling} sampling
   * @param {readonly number[]} sequence the ids of the prompt, and of the output so far
   * @throws {InputError} for a bias of an id that the vocabulary lacks
   */
  begin(sampling, sequence) {
    checkBiases(sampling, this.#vocabSize);
    const settings = new Uint8Array(SETTINGS_BYTES);
    settings.set(samplingBytes(sampling));
    const { repetitionPenalty = 1, logitBias = new Map() } = sampling;
    const view = new DataView(settings.buffer);
    view.setFloat32(20, halfDistance(sampling), true);
    view.setFloat32(24, repetitionPenalty, true);
    const biases = new Float32Array(this.#vocabSize);
    for (const [id, bias] of logitBias) biases[id] = bias;
    const seen = new Uint32Array(Math.ceil(this.#vocabSize / WORD_BITS));
    for (const id of sequence) seen[id >> 5] |= 1 << (id & 31);
    this.#write("settings", settings);
    this.#write("biases", biases);
    this.#write("seen", seen);
    this.allow(null);
  }

  /** Allows the ids of a mask, or all, at the next choices. @param {Uint32Array | null} mask */
  allow(mask) {
    if (mask !== null) checkMask(mask, this.#vocabSize);
    const words = Math.ceil(this.#vocabSize / WORD_BITS);
    this.#write("allowed", mask === null ? new Uint32Array(words).fill(2 ** 32 - 1) : new Uint32Array(mask));
  }

  /**
   * Encodes the kernel, which follows pass `last` or `decode` and precedes a choice.
   *
   * @param {GPUCommandEncoder} encoder
   */
  encode(encoder) {
    const pass = encoder.beginComputePass({ label: "adjust" });
    pass.setPipeline(this.#pipeline);
    pass.setBindGroup(0, this.#bindings);
    pass.dispatchWorkgroups(1);
    pass.end();
  }

  dispose() {
    for (const buffer of Object.values(this.#buffers)) buffer.destroy();
  }

  /**
   * @param {"settings" | "biases" | "allowed" | "seen"} name
   * @param {Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>} data
   */
  #write(name, data) {
    this.#gpu.queue.writeBuffer(this.#buffers[name], 0, data);
  }
}

/**
 * Refuses biases of ids that the vocabulary lacks (LLQ-GEN-13).
 *
 * @param {Sampling} sampling
 * @param {number} vocabSize
 * @throws {InputError}
 */
export function checkBiases({ logitBias = new Map() }, vocabSize) {
  const unknown = [...logitBias.keys()].find((id) => id >= vocabSize);
  if (unknown !== undefined) {
    throw new InputError(`logitBias has id ${unknown}, expected ids from 0 to ${vocabSize - 1}`);
  }
}

/**
 * Refuses a mask of another length, or without an allowed id (LLQ-GEN-13).
 *
 * @param {unknown} mask
 * @param {number} vocabSize
 * @throws {InputError}
 */
export function checkMask(mask, vocabSize) {
  const words = Math.ceil(vocabSize / WORD_BITS);
  if (!(mask instanceof Uint32Array) || mask.length !== words) {
    const found = mask instanceof Uint32Array ? `${mask.length} words` : String(mask);
    throw new InputError(`the mask is ${found}, expected a Uint32Array of ${words} words, or null`);
  }
  const last = 2 ** (((vocabSize - 1) % WORD_BITS) + 1) - 1;
  const isEmpty = mask.every((word, n) => (n < words - 1 ? word : (word & last) >>> 0) === 0);
  if (isEmpty) throw new InputError("the mask allows no id, expected at least one");
}

/**
 * Returns half the largest distance from the maximum logit at which min_p keeps an id; negative or 0.
 *
 * @param {Sampling} sampling
 */
function halfDistance({ temperature, minP = 0 }) {
  const rounded = Math.fround(minP);
  if (rounded === 0) return LOWEST;
  return Math.max(0.5 * Math.fround(temperature) * Math.log(rounded), 0.99 * LOWEST);
}
