/** The worker of this package. The bundles have another module in place of this one, with the source in it. */

/** Returns a worker; throws where the page allows none. */
export function newWorker() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}
