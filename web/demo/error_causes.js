/** The causes of errors, in words for users of the page, who see the exact message too. */

/** @typedef {import("./webgpu-llama4.js").LLQError} LLQError */

/** @type {Record<string, string>} by the code of the error */
const CAUSES = {
  hash: "The bytes of a file differ from the published ones. They may have been damaged in transit: try again. If that does not help, the copy on the server is damaged.",
  "not-found": "A file of the model is missing on the server. The operator of the server must add it.",
  html: "The address belongs to a web page, not to a model.",
  redirect: "The address leads to another server. Open the model there.",
  range: "The server sends other parts of a file than the requested ones.",
  cut: "The connection was cut repeatedly. The bytes that arrived are kept: try again to continue.",
  stalled: "The server stopped sending. The bytes that arrived are kept: try again to continue.",
  status: "The server refuses to send a file of the model.",
  network:
    "The server cannot be reached. Check the connection, and try again. The bytes that arrived are kept.",
  "no-adapter": "This browser offers no graphics device: there is none, or its driver is blocked.",
  "no-device": "The graphics device cannot be opened.",
  "no-variant": "The graphics device lacks features that every variant of this model's kernels needs.",
  "no-program": "This package has no program. The command `llq program` adds one.",
  "out-of-memory":
    "The graphics device does not have enough memory for this model. Closing other tabs may help.",
  shader: "The kernels of this model do not compile on this device.",
  wrong:
    "The graphics device computes wrong results with the kernels of this model. A newer driver may help.",
  "device-lost": "The graphics device was lost. Try again to open it again.",
};

/**
 * Returns the cause in a sentence or two, the exact message, and the rule with the address of its page.
 *
 * @param {unknown} error
 * @returns {{cause: string, exactly: string, rule: string | null, ruleUrl: string | null}}
 */
export function explained(error) {
  const { code, rule = null, ruleUrl = null } = /** @type {Partial<LLQError>} */ (error ?? {});
  const unknown = rule
    ? "The package on the server violates a rule of the format."
    : "An unexpected error occurred.";
  return { cause: CAUSES[code ?? ""] ?? unknown, exactly: messageOf(error), rule, ruleUrl };
}

/** Returns the message of an error. @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Returns whether an error is due to an abort. @param {unknown} error */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}
