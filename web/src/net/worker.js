/** A worker that does tasks. It first says that it is ready. */

import { LLQError } from "../errors.js";
import { takeMeasures } from "../package/stages.js";
import { TASKS } from "./tasks.js";

/** @typedef {import("./tasks.js").TaskContext} TaskContext */
/** @typedef {import("./tasks.js").TaskName} TaskName */
/** @typedef {{id: number, name: TaskName, input: any} | {id: number, abort: true}} TaskMessage */
/**
 * @typedef {object} Scope what is used of DedicatedWorkerGlobalScope
 * @property {(message: object, transfer?: Transferable[]) => void} postMessage
 * @property {(event: MessageEvent<TaskMessage>) => void} onmessage
 */

/** Time in ms between two reports of what came from the network. */
const REPORT_MS = 50;

const scope = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
/** @type {Map<number, AbortController>} */
const ongoing = new Map();

scope.onmessage = async ({ data }) => {
  if ("abort" in data) {
    ongoing.get(data.id)?.abort();
    return;
  }
  const { id, name, input } = data;
  const stop = new AbortController();
  ongoing.set(id, stop);
  const network = new NetworkReport(id);
  const task = /** @type {(input: any, context: TaskContext) => Promise<any>} */ (TASKS[name]);
  try {
    const context = { signal: stop.signal, onNetwork: (/** @type {number} */ bytes) => network.add(bytes) };
    const output = await task(input, context);
    network.send();
    const bytes = output?.bytes ?? null;
    scope.postMessage({ id, output, measures: takeMeasures() }, bytes === null ? [] : [bytes.buffer]);
  } catch (error) {
    if (error instanceof LLQError) scope.postMessage({ id, failure: error.members });
    else scope.postMessage({ id, error });
  } finally {
    ongoing.delete(id);
  }
};

/** Bytes that came from the network and were not reported. */
class NetworkReport {
  #id;
  #bytes = 0;
  #sent = performance.now();

  /** @param {number} id of the task */
  constructor(id) {
    this.#id = id;
  }

  /** @param {number} bytes */
  add(bytes) {
    this.#bytes += bytes;
    if (performance.now() - this.#sent >= REPORT_MS) this.send();
  }

  send() {
    if (this.#bytes > 0) scope.postMessage({ id: this.#id, network: this.#bytes });
    this.#bytes = 0;
    this.#sent = performance.now();
  }
}

scope.postMessage({ id: null });
