/**
 * Workers that do tasks. They are started with the first task that is worth it. Where a page has none, because
 * the platform lacks them or a policy forbids them, tasks are done on the spot.
 */

import { addMeasures } from "../package/stages.js";
import { newWorker } from "./new_worker.js";
import { PendingCalls } from "./pending_calls.js";
import { TASKS } from "./tasks.js";

/** @typedef {import("./tasks.js").TaskName} TaskName */
/** @typedef {import("./tasks.js").Tasks} Tasks */
/** @template {TaskName} N @typedef {Parameters<Tasks[N]>[0]} Input of a task */
/** @template {TaskName} N @typedef {Awaited<ReturnType<Tasks[N]>>} Output of a task */
/** @typedef {import("./tasks.js").TaskContext} TaskContext */
/**
 * @typedef {object} TaskMessage
 * @property {number | null} id of the task, null for the report that the worker is ready
 * @property {number} [network] bytes that came from the network; the task goes on
 * @property {[string, number][]} [measures]
 */
/** @typedef {import("./pending_calls.js").Answer & TaskMessage} TaskReport */

/** Bytes below which it takes longer to start a worker than to do a task. */
const SMALL_BYTES = 1 << 20;
/** Time for the start of a worker in ms. */
const START_MS = 10_000;

/** A place where tasks are done. */
export class Spot {
  /**
   * Does a task.
   *
   * @template {TaskName} N
   * @param {N} name
   * @param {Input<N>} input whose `bytes` are handed over
   * @param {TaskContext} [context]
   * @returns {Promise<Output<N>>}
   */
  async run(name, input, context) {
    const task = /** @type {(input: Input<N>, context?: TaskContext) => Promise<Output<N>>} */ (TASKS[name]);
    return task(input, context);
  }

  /** Whether tasks are done by another thread. */
  get isRemote() {
    return false;
  }
}

const HERE = new Spot();

/** @type {Set<WorkerSpot>} workers that run: a platform may end one that nothing refers to, with all it does */
const RUNNING = new Set();

/** Places where tasks are done. */
export class WorkerPool {
  #size;
  /** @type {Promise<WorkerSpot[]> | null} */
  #started = null;

  /** @param {number} [size] number of workers; one less than the processors by default, 1 to 8 */
  constructor(size = Math.max(1, Math.min(8, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1))) {
    this.#size = size;
  }

  /**
   * Returns the place for a task.
   *
   * @param {number} [bytes] that it takes; for less than a worker is worth, the place is here
   * @returns {Promise<Spot>}
   */
  async spot(bytes = Infinity) {
    if (bytes < SMALL_BYTES) return HERE;
    this.#started ??= startWorkers(this.#size);
    const workers = (await this.#started).filter(({ failed }) => !failed);
    return (
      workers.reduce((idlest, worker) => (worker.load < idlest.load ? worker : idlest), workers[0]) ?? HERE
    );
  }

  /** Returns whether there are workers. */
  async hasWorkers() {
    return (await this.spot()) !== HERE;
  }

  /** Ends all workers. Tasks that are not done fail. A later task starts workers again. */
  async close() {
    const started = this.#started;
    this.#started = null;
    for (const worker of (await started) ?? []) worker.end(new Error("the workers were ended"));
  }
}

/** @param {number} size @returns {Promise<WorkerSpot[]>} none where one does not start */
async function startWorkers(size) {
  /** @type {WorkerSpot[]} */
  const workers = [];
  try {
    if (globalThis.Worker === undefined) return [];
    for (let count = 0; count < size; count++) workers.push(new WorkerSpot(newWorker()));
    await Promise.all(workers.map(({ ready }) => ready));
    return workers;
  } catch (error) {
    for (const worker of workers) worker.end(error);
    return [];
  }
}

/** A worker. */
class WorkerSpot extends Spot {
  #worker;
  #tasks;
  failed = false;

  /** @param {Worker} worker */
  constructor(worker) {
    super();
    this.#worker = worker;
    this.#tasks = new PendingCalls(worker);
    RUNNING.add(this);
    /** @type {Promise<void>} settled when the worker has started, or has not */
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the worker does not start")), START_MS);
      worker.onmessage = (/** @type {MessageEvent<TaskReport>} */ { data }) => {
        clearTimeout(timer);
        resolve();
        this.#settle(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        clearTimeout(timer);
        const error = new Error(`a worker failed: ${event.message}`);
        reject(error);
        this.end(error);
      };
    });
    this.ready.catch(() => {}); // it is thrown where it is awaited
  }

  /** @override */
  get isRemote() {
    return true;
  }

  /** Number of tasks that are not done. */
  get load() {
    return this.#tasks.size;
  }

  /**
   * @override
   * @template {TaskName} N
   * @param {N} name
   * @param {Input<N>} input
   * @param {TaskContext} [context]
   * @returns {Promise<Output<N>>}
   */
  async run(name, input, { signal, onNetwork } = {}) {
    if (this.failed) throw new Error("the worker was ended");
    const transfer = "bytes" in input && input.bytes !== null ? [input.bytes.buffer] : [];
    return this.#tasks.call(name, input, { signal, transfer, onNetwork });
  }

  /** Ends the worker. @param {unknown} reason why its tasks fail */
  end(reason) {
    this.failed = true;
    RUNNING.delete(this);
    this.#worker.terminate();
    this.#tasks.fail(reason);
  }

  /** @param {TaskReport} report */
  #settle({ id, network, measures = [], ...answer }) {
    addMeasures(measures);
    if (id === null) return;
    if (network === undefined) this.#tasks.settle(id, answer);
    else this.#tasks.report(id, network);
  }
}
