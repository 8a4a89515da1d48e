/** Calls of a worker that are not answered. */

import { errorOf } from "../errors.js";

/**
 * @typedef {object} Pending
 * @property {(output: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {(bytes: number) => void} onNetwork
 */
/**
 * @typedef {object} Answer
 * @property {unknown} [output]
 * @property {import("../errors.js").ErrorMembers} [failure] an error of this package
 * @property {unknown} [error] another error
 */

export class PendingCalls {
  #worker;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #count = 0;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
  }

  get size() {
    return this.#pending.size;
  }

  /**
   * Makes a call. An abort is sent to the worker, and the call fails at once; it is pending until the worker answers.
   *
   * @param {string} name
   * @param {object} input
   * @param {{signal?: AbortSignal, transfer?: Transferable[], onNetwork?: (bytes: number) => void}} [options]
   * @returns {Promise<any>}
   */
  call(name, input, { signal, transfer = [], onNetwork = () => {} } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = this.#count++;
      const stop = () => {
        this.#worker.postMessage({ id, abort: true });
        reject(signal?.reason);
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
        onNetwork,
      });
      this.#worker.postMessage({ id, name, input }, transfer);
    });
  }

  /** Reports bytes that came from the network for a call. @param {number} id @param {number} bytes */
  report(id, bytes) {
    this.#pending.get(id)?.onNetwork(bytes);
  }

  /** Ends a call with the answer of the worker. @param {number} id @param {Answer} answer */
  settle(id, { output, failure, error }) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (failure !== undefined) pending?.reject(errorOf(failure));
    else if (error !== undefined) pending?.reject(error);
    else pending?.resolve(output);
  }

  /** Lets all calls fail. @param {unknown} reason */
  fail(reason) {
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}
