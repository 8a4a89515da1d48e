/** The address of the text worker. The bundles have another module in place of this one, with the source in it. */

/** Returns the address. @param {boolean} _isNode whether it is for a thread of Node */
export function textWorkerUrl(_isNode) {
  return new URL("./text_worker.js", import.meta.url);
}
