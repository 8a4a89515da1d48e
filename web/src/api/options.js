/** Options as calls get them (spec: Runtime API, LLQ-API-8). */

import { InputError } from "../errors.js";

/**
 * Returns options whose members can be read: no options are the same as an empty object.
 *
 * @template {{signal?: AbortSignal}} T
 * @param {T | undefined} options
 * @returns {T}
 * @throws {InputError} where they are not an object, or `signal` is not a signal
 */
export function optionsOf(options) {
  if (options === undefined) return /** @type {T} */ ({});
  if (typeof options !== "object" || options === null) {
    throw new InputError(`options are ${options}, expected an object`);
  }
  // by its methods: a signal of another frame is not an instance of this frame's class
  if (options.signal !== undefined && typeof options.signal?.throwIfAborted !== "function") {
    throw new InputError(`signal is ${options.signal}, expected an AbortSignal`);
  }
  return options;
}

/**
 * Returns an absolute address.
 *
 * @param {string | URL} url relative to the page, where there is a page
 * @param {string} purpose what the address leads to, for messages
 * @throws {InputError}
 */
export function absoluteUrl(url, purpose) {
  try {
    return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new InputError(`${url} is not the address of ${purpose}`);
  }
}
