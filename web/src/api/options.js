/** Options as calls are given them (spec: Runtime API, LLQ-API-8). */

import { InputError } from "../errors.js";

/**
 * Returns options that can be looked into: none are the same as an empty object.
 *
 * @template {{signal?: AbortSignal}} T
 * @param {T | undefined} options
 * @returns {T}
 * @throws {InputError} where they are no object, null among that, or `signal` is no signal
 */
export function optionsOf(options) {
  if (options === undefined) return /** @type {T} */ ({});
  if (typeof options !== "object" || options === null)
    throw new InputError(`options are an object, and not ${options}`);
  // by its methods: a signal of another frame is no instance of this frame's class
  if (options.signal !== undefined && typeof options.signal?.throwIfAborted !== "function") {
    throw new InputError(`signal is an AbortSignal, and not ${options.signal}`);
  }
  return options;
}
