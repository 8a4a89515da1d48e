/** The worker of models. The bundles have another module in place of this one, with the source in it. */

/** Returns a worker; throws where the page allows none. */
export function newModelWorker() {
  return new Worker(new URL("./model_worker.js", import.meta.url), { type: "module" });
}
