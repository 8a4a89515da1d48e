// Values that break the types of an interface on purpose.

/**
 * Returns a value as one of the type that its place requires.
 *
 * @template T
 * @param {unknown} value
 * @returns {T}
 */
export function disguised(value) {
  return /** @type {T} */ (value);
}
