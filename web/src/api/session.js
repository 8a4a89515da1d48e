/** Generation that outlives its device: where the device is lost, a new one takes the sequence up. */

import { DeviceError, DeviceLostError, DisposedError, LLQError } from "../errors.js";
import { generate } from "../text/generation.js";

/** @typedef {import("../gpu/executor.js").Host} Host */
/** @typedef {import("../text/sampling.js").Sampling} Sampling */

/** A host, and how it is made anew. */
export class Session {
  #make;
  #disposed = false;

  /**
   * @param {Host} host
   * @param {(() => Promise<Host>) | null} make makes another host on a new device; null where none can be made
   */
  constructor(host, make) {
    this.host = host;
    this.#make = make;
  }

  /** Makes the host anew, if its device was lost since the last call. */
  async revive() {
    if (this.host.device.lost === null) return;
    if (this.#make === null) throw this.host.device.failure("the device was given, and cannot be made anew");
    this.host = await this.#make();
    if (!this.#disposed) return;
    this.dispose(); // while it was made
    throw new DisposedError();
  }

  /**
   * Yields the tokens that follow a prompt, as `generate` does.
   *
   * After the first loss of a device the prompt and the tokens that were yielded are prefilled on a new one, and
   * generation goes on: a draw depends on the seed and the position alone. A second loss is an error.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {{eos?: readonly number[], sampling?: Sampling, signal?: AbortSignal}} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *generate(prompt, maxTokens, options) {
    await this.revive();
    /** @type {number[]} */
    const given = [];
    for (let losses = 0; ; ) {
      try {
        const tokens = generate(this.host, [...prompt, ...given], maxTokens - given.length, options);
        for (;;) {
          const { value, done } = await tokens.next();
          if (this.#disposed) throw new DisposedError(); // buffers were gone, perhaps before this token was computed
          if (done) return value;
          given.push(value);
          let finished = false;
          try {
            yield value;
            finished = true;
          } finally {
            if (!finished) await tokens.return("stop"); // whoever listens has left
          }
        }
      } catch (error) {
        if (this.#disposed) throw new DisposedError();
        const { device } = this.host;
        const other = error instanceof LLQError && !(error instanceof DeviceError);
        if (!other && !options.signal?.aborted) await device.news();
        if (device.lost === null) throw error;
        const lost = error instanceof DeviceLostError ? error : device.failure("a token", error);
        if (losses > 0 || this.#make === null) throw lost;
        losses++;
        await this.revive();
        if (given.length === maxTokens) return "length";
      }
    }
  }

  /** Lets the device go, unless it was given. */
  dispose() {
    this.#disposed = true;
    this.host.dispose({ shards: true });
    if (this.#make !== null) this.host.device.destroy();
  }
}
