/**
 * Responses to requests of the protocol of adapters (conformance/ADAPTERS.md), wherever they come from: an
 * object with
 * the members of the response, or an error message.
 *
 * @module harness/response
 */

/** @typedef {{op: string, id?: number, [member: string]: any}} Request */
/** @typedef {{[op: string]: (request: Request) => Promise<object | void> | object | void}} Handlers */

/**
 * Returns the response to a request other than `bye`.
 *
 * @param {Handlers} handlers one for each `op`
 * @param {Request} request
 * @returns {Promise<object>}
 */
export async function respond(handlers, request) {
  try {
    const handler = Object.hasOwn(handlers, request.op) ? handlers[request.op] : undefined;
    if (handler === undefined) throw new Error(`no handler for ${request.op}`);
    const members = await handler(request);
    return request.id === undefined ? { ...members } : { id: request.id, ok: true, ...members };
  } catch (error) {
    console.debug(error);
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const subject = request.id === undefined ? { op: request.op } : { id: request.id };
    return { ...subject, ok: false, error: message };
  }
}
