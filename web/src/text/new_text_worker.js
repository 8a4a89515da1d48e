/** The text worker. The bundles have another module in place of this one, with the source in it. */

/** Returns a worker of the web; throws where the page allows none. Build tools look for this very expression. */
export function newTextWorker() {
  return new Worker(new URL("./text_worker.js", import.meta.url), { type: "module" });
}

/** Returns the address, for a thread of Node. */
export function textWorkerUrl() {
  return new URL("./text_worker.js", import.meta.url);
}
