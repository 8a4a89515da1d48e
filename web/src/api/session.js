/** Generation that survives a loss of the device: a new one continues the sequence. */

import { DeviceError, DeviceLostError, DisposedError, LLQError } from "../errors.js";
import { isSoftware } from "../gpu/device.js";
import { profile } from "../gpu/profile.js";
import { generate } from "../text/generation.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("../text/generation.js").Options} GenerateOptions */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {{tokens?: number, promptTokens?: number, signal?: AbortSignal}} ProfileOptions */
/**
 * @typedef {object} DeviceReport
 * @property {string} name that the adapter gives itself
 * @property {string} vendor
 * @property {string} architecture
 * @property {string} variant of the module that is executed
 * @property {boolean} software whether the adapter computes on the CPU, as far as it is known
 */
/** @typedef {{context: number, device: DeviceReport, memory: Record<string, number>}} ExecutorState */

/** An executor, and how another is made. */
export class Session {
  #makeExecutor;
  #disposed = false;

  /**
   * @param {Executor} executor
   * @param {(() => Promise<Executor>) | null} makeExecutor makes one on a new device; null where none can be
   *   made
   */
  constructor(executor, makeExecutor) {
    this.executor = executor;
    this.#makeExecutor = makeExecutor;
  }

  /** Begins a call: makes another executor, if its device was lost since the last call. */
  async revive() {
    const { device } = this.executor;
    device.begin();
    if (device.lost === null) return;
    if (this.#makeExecutor === null) {
      throw device.failure(
        "the page passed the device, so it cannot be opened again: load the model again with a new device",
      );
    }
    this.executor = await this.#makeExecutor();
    if (!this.#disposed) return;
    this.dispose(); // while it was made
    throw new DisposedError();
  }

  /**
   * Yields the tokens that follow a prompt, as `generate` does.
   *
   * After the first loss of a device the prompt and the tokens that were yielded are prefilled on a new one,
   * and
   * generation goes on: a draw depends on the seed and the position alone. A second loss is an error.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *generate(prompt, maxTokens, options) {
    await this.revive();
    /** @type {number[]} */
    const yielded = [];
    const { mask } = options;
    const own = mask === undefined ? options : { ...options, mask: () => mask(yielded.slice()) };
    for (let losses = 0; ; ) {
      try {
        return yield* this.#continue([...prompt, ...yielded], maxTokens - yielded.length, own, yielded);
      } catch (error) {
        if (this.#disposed) throw new DisposedError();
        const loss = await this.#lossBehind(error, options.signal);
        if (loss === null) throw error;
        if (losses > 0 || this.#makeExecutor === null) throw loss;
        losses++;
        await this.revive();
        if (yielded.length === maxTokens) return "length";
      }
    }
  }

  /**
   * Yields tokens on the present executor, and adds them to those that were yielded.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @param {number[]} yielded
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *#continue(prompt, maxTokens, options, yielded) {
    const tokens = generate(this.executor, prompt, maxTokens, options);
    for (;;) {
      const { value, done } = await tokens.next();
      if (this.#disposed) throw new DisposedError(); // buffers were gone, perhaps before this token was computed
      if (done) return value;
      yielded.push(value);
      let resumed = false;
      try {
        yield value;
        resumed = true;
      } finally {
        if (!resumed) await tokens.return("stop"); // the consumer has left
      }
    }
  }

  /**
   * Returns the loss of the device that an error is due to, null where the device is there.
   *
   * @param {unknown} error
   * @param {AbortSignal} [signal]
   * @returns {Promise<Error | null>}
   */
  async #lossBehind(error, signal) {
    const { device } = this.executor;
    const hasOtherCause = error instanceof LLQError && !(error instanceof DeviceError);
    if (!hasOtherCause && !signal?.aborted) await device.lossReport();
    if (device.lost === null) return null;
    return error instanceof DeviceLostError ? error : device.failure("a token", error);
  }

  /**
   * Measures an executor.
   *
   * @param {Metadata} metadata of its package
   * @param {ProfileOptions} settings
   */
  async profile(metadata, settings) {
    await this.revive();
    return profile(this.executor, metadata, settings);
  }

  /** What the model runs on. @returns {ExecutorState} memory: bytes on the device by purpose */
  get state() {
    const { device, context } = this.executor;
    const { vendor = "", architecture = "" } = device.info ?? {};
    const report = {
      name: device.name,
      vendor,
      architecture,
      variant: device.variant.name,
      software: isSoftware(device.info),
    };
    return { context, device: report, memory: this.executor.memory() };
  }

  /** Frees the device, unless the caller gave it. */
  dispose() {
    this.#disposed = true;
    this.executor.dispose({ shards: true });
    if (this.#makeExecutor !== null) this.executor.device.destroy();
    else this.executor.device.close();
  }
}
