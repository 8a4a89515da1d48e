/** The connection of a page to the worker that has its model. */

import { LLQError, UnsupportedError } from "../errors.js";
import { PendingCalls } from "../net/pending_calls.js";
import { newModelWorker } from "./new_model_worker.js";

/** @typedef {import("./worker_messages.js").Calls} Calls */
/** @typedef {import("./worker_messages.js").CallName} CallName */
/** @typedef {import("./worker_messages.js").Response} Response */

/** Maximum time for the start of the worker in ms. */
const START_MS = 60_000;

export class WorkerConnection {
  #worker;
  #onProgress;
  #calls;
  /** @type {unknown} why the worker is no longer there, null while it is */
  #ended = null;
  #started;

  /**
   * Starts the worker.
   *
   * @param {import("../net/progress.js").OnProgress} onProgress
   * @throws {UnsupportedError} `no-worker`
   */
  constructor(onProgress) {
    this.#onProgress = onProgress;
    if (globalThis.Worker === undefined) {
      throw new UnsupportedError("this platform has no workers here: use loadModel", { code: "no-worker" });
    }
    try {
      this.#worker = newModelWorker();
    } catch (cause) {
      throw noWorker(cause);
    }
    const worker = this.#worker;
    this.#calls = new PendingCalls(worker);
    this.#started = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = noWorker(`it did not start within ${START_MS} ms`);
        reject(error);
        this.end(error);
      }, START_MS);
      worker.onmessage = (/** @type {MessageEvent<Response>} */ { data }) => {
        clearTimeout(timer);
        resolve(undefined);
        this.#take(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        clearTimeout(timer);
        reject(noWorker(event.message));
        this.end(new LLQError(`the worker of the model failed: ${event.message}`));
      };
    });
    this.#started.catch(() => {}); // it is thrown where it is awaited
  }

  /**
   * Waits until the worker has started.
   *
   * @throws {UnsupportedError} `no-worker`
   */
  async started() {
    await this.#started;
  }

  /**
   * Makes a call. An abort is sent to the worker, whose answer is not waited for.
   *
   * @template {CallName} N
   * @param {N} name
   * @param {Parameters<Calls[N]>[0]} input
   * @param {AbortSignal} [signal]
   * @returns {Promise<Awaited<ReturnType<Calls[N]>>>}
   */
  async call(name, input, signal) {
    if (this.#ended !== null) throw this.#ended;
    return this.#calls.call(name, input, { signal });
  }

  /** Ends the worker; calls that are not answered fail. @param {unknown} reason */
  end(reason) {
    this.#ended ??= reason;
    this.#worker.terminate();
    this.#calls.fail(reason);
  }

  /** @param {Response} response */
  #take({ id, progress, ...answer }) {
    if (progress !== undefined) {
      try {
        this.#onProgress(progress);
      } catch (thrown) {
        this.#calls.fail(thrown);
      }
    }
    if (id !== null) this.#calls.settle(id, answer);
  }
}

/** @param {unknown} cause */
function noWorker(cause) {
  return new UnsupportedError(
    "this page cannot start the worker of the model: allow blob: in worker-src of its content security policy, " +
      "or use loadModel",
    { code: "no-worker", cause },
  );
}
