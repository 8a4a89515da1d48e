/** A worker that executes chat templates and tokenizers. It first says that it is ready. */

import { LLQError } from "../errors.js";
import { answer } from "./text_tasks.js";

/** @typedef {import("./text_tasks.js").TextRequest} TextRequest */
/** @typedef {{output: unknown} | {failure: import("../errors.js").ErrorMembers} | {error: unknown}} TextReport */

const port = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads")?.parentPort;
const scope = /** @type {{postMessage: (message: unknown) => void}} */ (port ?? globalThis);

/** @param {TextRequest} request @returns {TextReport} */
function report(request) {
  try {
    return { output: answer(request) };
  } catch (error) {
    return error instanceof LLQError ? { failure: error.members } : { error };
  }
}

if (port) port.on("message", (/** @type {TextRequest} */ request) => scope.postMessage(report(request)));
else globalThis.onmessage = ({ data }) => scope.postMessage(report(data));
scope.postMessage("ready");
