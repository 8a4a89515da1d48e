/** The causes of errors, in words for users of the page, who see the exact message too. */

/** @type {Record<string, string>} by the code of the error */
const CAUSES = {
  hash: "What arrived is not what was published: bytes of a file differ. They may have been damaged on the way, so trying again may help; if it does not, the copy on the server is damaged.",
  "not-found": "A file of the model is missing on the server. Whoever runs the server has to put it there.",
  html: "The address leads to a web page and not to a model.",
  redirect: "The address leads to another server. Open the model there.",
  range: "The server sends other parts of a file than it is asked for.",
  cut: "The connection was cut again and again. What has arrived is kept, so trying again goes on from there.",
  stalled: "The server stopped sending. What has arrived is kept, so trying again goes on from there.",
  status: "The server refuses to send a file of the model.",
  network: "The server cannot be reached. Check the connection; what has arrived is kept.",
  "no-adapter": "This browser offers no graphics device: there is none, or its driver is blocked.",
  "no-device": "The graphics device cannot be opened.",
  "no-variant": "The graphics device lacks what every variant of this model's kernels needs.",
  "no-program": "This package holds weights but no program to run them. `llq program` writes one.",
  "out-of-memory": "The graphics device has not enough memory for this model. Closing other tabs may help.",
  shader: "The kernels of this model do not compile on this device.",
  wrong:
    "The graphics device computes wrong results with the kernels of this model. A newer driver may help.",
  "device-lost": "The graphics device went away. Trying again opens it anew.",
};

/**
 * Returns the cause in a sentence or two, and the exact message.
 *
 * @param {unknown} error
 * @returns {{cause: string, exactly: string}}
 */
export function explained(error) {
  const { code, rule } = /** @type {{code?: string, rule?: string | null}} */ (error ?? {});
  const unknown = rule
    ? "The package on the server breaks a rule of the format."
    : "Something unforeseen happened.";
  return { cause: CAUSES[code ?? ""] ?? unknown, exactly: messageOf(error) };
}

/** Returns the message of an error. @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Returns whether an error is due to an abort. @param {unknown} error */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}
