/** Options as calls get them (spec: Runtime API, LLQ-API-8). */

import { InputError } from "../errors.js";

/**
 * Returns options whose members can be read: no options are the same as an empty object.
 *
 * @template {{signal?: AbortSignal}} T
 * @param {T | undefined} options
 * @param {readonly string[]} names of all options
 * @returns {T}
 * @throws {InputError} where they are not an object, have another name, or `signal` is not a signal
 */
export function optionsOf(options, names) {
  if (options === undefined) return /** @type {T} */ ({});
  if (typeof options !== "object" || options === null) {
    throw new InputError(`options are ${options}, expected an object`);
  }
  // by its methods: a signal of another frame is not an instance of this frame's class
  if (options.signal !== undefined && typeof options.signal?.throwIfAborted !== "function") {
    throw new InputError(`signal is ${options.signal}, expected an AbortSignal`);
  }
  checkNames(options, names);
  return options;
}

/**
 * Refuses options that nobody knows: they would have no effect (LLQ-API-35).
 *
 * @param {object} options
 * @param {readonly string[]} names of all options
 * @throws {InputError}
 */
export function checkNames(options, names) {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || names.includes(name)) continue;
    const near = names.toSorted((a, b) => distance(name, a) - distance(name, b))[0];
    const meant = distance(name, near) <= Math.max(1, near.length / 3) ? `did you mean ${near}?` : "";
    throw new InputError(`there is no option ${name}: ${meant || `options are ${names.join(", ")}`}`);
  }
}

/** Returns the number of letters that are inserted, deleted or replaced between two names, in any case. */
function distance(/** @type {string} */ a, /** @type {string} */ b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of Array.from(a.toLowerCase()).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b.toLowerCase()).entries()) {
      next.push(Math.min(row[j] + (letter === other ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * Checks an option that counts.
 *
 * @param {unknown} value undefined for the default value
 * @param {string} name
 * @param {number} minimum
 * @throws {InputError}
 */
export function checkCount(value, name, minimum) {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) >= minimum)) return;
  throw new InputError(`${name} is ${String(value)}, expected a whole number from ${minimum} on`);
}
