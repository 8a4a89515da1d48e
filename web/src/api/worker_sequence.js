/** A sequence that a worker has. */

import { DisposedError } from "../errors.js";

/** @typedef {import("./sequence.js").ExecutorState} ExecutorState */
/** @typedef {import("./sequence.js").GenerateOptions} GenerateOptions */
/** @typedef {import("./worker_connection.js").WorkerConnection} WorkerConnection */

/** Number of answers that were begun. */
let answers = 0;

export class WorkerSequence {
  #connection;
  #number;

  /**
   * @param {WorkerConnection} connection whose worker has loaded
   * @param {ExecutorState} state
   * @param {number} [number] the model's is 0
   */
  constructor(connection, state, number = 0) {
    this.#connection = connection;
    this.#number = number;
    /** What the model runs on, as the worker reported it last. */
    this.state = state;
  }

  /**
   * Yields the tokens that follow a prompt, as `Sequence.generate` does.
   *
   * @param {readonly number[]} prompt
   * @param {number} maxTokens
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<number, "stop" | "length", void>}
   */
  async *generate(prompt, maxTokens, { signal, mask, onLogprobs, ...rest }) {
    const answer = answers++;
    const connection = this.#connection;
    const steps = Math.min(maxTokens, this.state.context - prompt.length + 1);
    /** @type {number[]} */
    const output = [];
    try {
      const options = { ...rest, isMasked: mask !== undefined };
      await connection.call("begin", { answer, sequence: this.#number, prompt, maxTokens, options }, signal);
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
   * @param {import("./sequence.js").ProfileOptions} settings
   */
  async profile(metadata, { signal, ...settings }) {
    const { report, state } = await this.#connection.call("profile", { metadata, ...settings }, signal);
    this.state = state;
    return report;
  }

  /** Returns an empty sequence of the same worker. @param {number} [contextLength] */
  async sibling(contextLength) {
    return this.#made(await this.#connection.call("sibling", { contextLength }));
  }

  /** Returns a copy of this sequence. */
  async fork() {
    return this.#made(await this.#connection.call("fork", { sequence: this.#number }));
  }

  /** @param {import("./worker_messages.js").SequenceOutput} output */
  #made({ sequence, state }) {
    return new WorkerSequence(this.#connection, state, sequence);
  }

  /** Frees the executor, as soon as nothing uses it. */
  disposeWhenIdle() {
    this.#connection.call("release", { sequence: this.#number }).catch(() => {}); // the worker has ended
  }

  /** Frees the device, and ends the worker when all that came is stored. */
  dispose() {
    const disposed = this.#connection.call("dispose", {});
    const end = () => this.#connection.end(new DisposedError());
    disposed.then(end, end);
  }
}
