/** The connection of a page to the worker that has its model. */

import { errorOf, LLQError, UnsupportedError } from "../errors.js";
import { newModelWorker } from "./new_model_worker.js";

/** @typedef {import("./worker_messages.js").Calls} Calls */
/** @typedef {import("./worker_messages.js").CallName} CallName */
/** @typedef {import("./worker_messages.js").Response} Response */
/** @typedef {{resolve: (output: any) => void, reject: (error: unknown) => void}} Pending */

/** Maximum time for the start of the worker in ms. */
const START_MS = 60_000;

export class WorkerConnection {
  #worker;
  #onProgress;
  /** @type {Map<number, Pending>} calls that are not answered */
  #pending = new Map();
  #count = 0;
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
   * @returns {ReturnType<Calls[N]>}
   */
  call(name, input, signal) {
    /** @type {Promise<any>} */
    const answer = new Promise((resolve, reject) => {
      if (this.#ended !== null) throw this.#ended;
      signal?.throwIfAborted();
      const id = this.#count++;
      const stop = () => {
        this.#worker.postMessage({ id, abort: true });
        this.#settle(id)?.reject(signal?.reason);
      };
      const settled = () => signal?.removeEventListener("abort", stop);
      signal?.addEventListener("abort", stop, { once: true });
      this.#pending.set(id, {
        resolve: (output) => {
          settled();
          resolve(output);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#worker.postMessage({ id, name, input });
    });
    return /** @type {ReturnType<Calls[N]>} */ (answer);
  }

  /** Ends the worker; calls that are not answered fail. @param {unknown} reason */
  end(reason) {
    this.#ended ??= reason;
    this.#worker.terminate();
    this.fail(reason);
  }

  /** Lets all calls fail that are not answered. @param {unknown} reason */
  fail(reason) {
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(reason);
  }

  /** @param {Response} response */
  #take({ id, output, failure, error, progress }) {
    if (progress !== undefined) {
      try {
        this.#onProgress(progress);
      } catch (thrown) {
        this.fail(thrown);
      }
    }
    const pending = id === null ? undefined : this.#settle(id);
    if (failure !== undefined) pending?.reject(errorOf(failure));
    else if (error !== undefined) pending?.reject(error);
    else pending?.resolve(output);
  }

  /** Takes a call from those that are not answered. @param {number} id */
  #settle(id) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
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
