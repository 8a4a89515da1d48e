/** A worker that does tasks. It first says that it is ready. */

import { takeMeasures } from "../package/stages.js";
import { TASKS } from "./tasks.js";

/** @typedef {import("./tasks.js").TaskName} TaskName */
/** @typedef {{id: number, name: TaskName, input: any}} TaskMessage */
/**
 * @typedef {object} Scope what is used of DedicatedWorkerGlobalScope
 * @property {(message: object, transfer?: Transferable[]) => void} postMessage
 * @property {(event: MessageEvent<TaskMessage>) => void} onmessage
 */

const scope = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));

scope.onmessage = async ({ data: { id, name, input } }) => {
  try {
    const output = await TASKS[name](input);
    const bytes = output !== undefined && "bytes" in output ? output.bytes : null;
    scope.postMessage({ id, output, measures: takeMeasures() }, bytes === null ? [] : [bytes.buffer]);
  } catch (error) {
    scope.postMessage({ id, error });
  }
};
scope.postMessage({ id: null });
