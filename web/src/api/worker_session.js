/** A session that a worker has. */

import { DisposedError } from "../errors.js";

/** @typedef {import("./session.js").ExecutorState} ExecutorState */
/** @typedef {import("./session.js").GenerateOptions} GenerateOptions */
/** @typedef {import("./worker_connection.js").WorkerConnection} WorkerConnection */

export class WorkerSession {
  #connection;
  #answers = 0;

  /** @param {WorkerConnection} connection whose worker has loaded @param {ExecutorState} state */
  constructor(connection, state) {
    this.#connection = connection;
    /** What the model runs on, as the worker reported it last. */
    this.state = state;
  }

  /**
   * Yields the tokens that follow a prompt, as `Session.generate` does.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *generate(prompt, maxTokens, { signal, mask, onLogprobs, ...rest }) {
    const answer = this.#answers++;
    const connection = this.#connection;
    const steps = Math.min(maxTokens, this.state.context - prompt.length + 1);
    /** @type {number[]} */
    const output = [];
    try {
      const options = { ...rest, isMasked: mask !== undefined };
      await connection.call("begin", { answer, prompt, maxTokens, options }, signal);
      for (;;) {
        const allowed = output.length < steps ? await mask?.(output.slice()) : null;
        const next = await connection.call("next", { answer, mask: allowed }, signal);
        if (next.done) {
          this.state = next.state;
          return next.value;
        }
        if (next.logprobs !== undefined) onLogprobs?.(next.logprobs);
        output.push(next.value);
        yield next.value;
        signal?.throwIfAborted();
      }
    } finally {
      await connection.call("leave", { answer }).catch(() => {}); // what is on the device is waited for
    }
  }

  /**
   * Measures the executor.
   *
   * @param {import("../package/metadata_types.js").Metadata} metadata
   * @param {import("./session.js").ProfileOptions} settings
   */
  async profile(metadata, { signal, ...settings }) {
    const { report, state } = await this.#connection.call("profile", { metadata, ...settings }, signal);
    this.state = state;
    return report;
  }

  /** Frees the device, and ends the worker when all that came is stored. */
  dispose() {
    const disposed = this.#connection.call("dispose", {});
    const end = () => this.#connection.end(new DisposedError());
    disposed.then(end, end);
  }
}
