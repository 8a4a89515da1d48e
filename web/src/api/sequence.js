/** A sequence that survives a loss of the device: another device continues it. */

import { ContextError, DeviceError, DeviceLostError, DisposedError, LLQError } from "../errors.js";
import { isSoftware } from "../gpu/device.js";
import { profile } from "../gpu/profile.js";
import { generate } from "../text/generation.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {Omit<import("../text/generation.js").Options, "sequence">} GenerateOptions */
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
/**
 * @typedef {object} SequenceOptions
 * @property {(() => Promise<Executor>) | null} makeExecutor makes one on a new device; null where none can be made
 * @property {(executor: Executor) => void} release frees an executor
 * @property {boolean} exact whether what is kept must be equal, bit for bit, to what would be computed
 */

/** An executor, and how another is made. */
export class Sequence {
  #options;
  #disposed = false;
  /** @type {Promise<unknown>} settled when the executor is not in use */
  #idle = Promise.resolve();

  /** @param {Executor} executor @param {SequenceOptions} options */
  constructor(executor, options) {
    this.executor = executor;
    this.#options = options;
  }

  /** Begins a call: makes another executor, if its device was lost since the last call. */
  async revive() {
    const { device } = this.executor;
    device.begin();
    if (device.lost === null) return;
    const { makeExecutor, release } = this.#options;
    if (makeExecutor === null) {
      throw device.failure(
        "the page passed the device, so it cannot be opened again: load the model again with a new device",
      );
    }
    this.executor = await makeExecutor();
    if (!this.#disposed) return;
    release(this.executor); // while it was made
    throw new DisposedError();
  }

  /**
   * Returns an empty sequence on an executor of its own, which keeps whatever it has computed.
   *
   * @param {number} [contextLength] positions; those of this sequence by default
   */
  async sibling(contextLength) {
    const makeExecutor = async () => {
      await this.revive();
      return this.executor.sibling(contextLength);
    };
    const release = (/** @type {Executor} */ executor) => executor.dispose();
    return new Sequence(await makeExecutor(), { makeExecutor, release, exact: false });
  }

  /** Returns a copy of this sequence, whose executor is its own. */
  async fork() {
    const end = this.#begin();
    try {
      await this.revive();
      return new Sequence(await this.executor.fork(), this.#options);
    } finally {
      end();
    }
  }

  /** Begins to use the executor, and returns a function that ends it. */
  #begin() {
    /** @type {() => void} */
    let end = () => {};
    this.#idle = new Promise((resolve) => {
      end = () => resolve(undefined);
    });
    return end;
  }

  /**
   * Yields the tokens that follow a prompt, as `generate` does.
   *
   * Positions of the prompt that the executor holds are not computed again.
   * After the first loss of a device the prompt and the tokens that were yielded are prefilled on a new one, and
   * generation goes on: a draw depends on the seed and the position alone. A second loss is an error.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *generate(prompt, maxTokens, options) {
    const end = this.#begin();
    try {
      return yield* this.#generate(prompt, maxTokens, options);
    } finally {
      end();
    }
  }

  /**
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *#generate(prompt, maxTokens, options) {
    await this.revive();
    const { context } = this.executor;
    if (prompt.length > context) {
      throw new ContextError(`${prompt.length} positions do not fit into a context of ${context}`);
    }
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
        if (losses > 0 || this.#options.makeExecutor === null) throw loss;
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
    const rest = this.executor.resume(prompt, this.#options);
    const tokens = generate(this.executor, rest, maxTokens, { ...options, sequence: prompt });
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

  /** Frees the executor, as soon as nothing uses it. */
  disposeWhenIdle() {
    this.#idle.then(() => this.dispose());
  }

  /** Frees the executor. */
  dispose() {
    this.#disposed = true;
    this.#options.release(this.executor);
  }
}
