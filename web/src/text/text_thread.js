/** The thread of the text worker, of the web or of Node. */

import { newTextWorker, textWorkerUrl } from "./new_text_worker.js";

/** @typedef {"message" | "failure"} EventName */

export class TextThread {
  #worker;
  #isNode;
  /** @type {(event: EventName, data: any) => void} */
  #listener = () => {};

  /** Starts the thread; throws where a page allows none. */
  constructor() {
    // Workers of the web keep Deno alive, and Node has none.
    const threads = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads");
    this.#isNode = threads !== undefined;
    if (this.#isNode) {
      this.#worker = new threads.Worker(textWorkerUrl(), { execArgv: [] }); // without what the program preloads
      this.#worker.on("message", (/** @type {any} */ data) => this.#listener("message", data));
      this.#worker.on("error", (/** @type {unknown} */ error) => this.#listener("failure", error));
    } else {
      const worker = newTextWorker();
      worker.onmessage = ({ data }) => this.#listener("message", data);
      worker.onerror = (event) => {
        event.preventDefault();
        this.#listener("failure", new Error(event.message));
      };
      this.#worker = worker;
    }
  }

  /**
   * Sends a message, if it is not undefined, and returns the next message from the thread.
   *
   * @param {unknown} [message]
   * @returns {Promise<any>}
   */
  exchange(message) {
    if (this.#isNode) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#listener = (event, data) => {
        if (this.#isNode) this.#worker.unref(); // an idle thread does not keep the process
        this.#listener = () => {};
        if (event === "message") resolve(data);
        else reject(data);
      };
      if (message !== undefined) this.#worker.postMessage(message);
    });
  }

  /** Ends the thread, whatever it does. */
  end() {
    this.#worker.terminate();
  }
}
