/**
 * JSON as a package holds it. What is canonical takes the platform's parser alone; the strict parser is
 * imported
 * when a text is not, to name the rule that it breaks.
 */

import { PackageError } from "../errors.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./canonical_json.js").Rules} Rules */
/** @typedef {import("./canonical_json.js").JsonText} JsonText */

/** Depth to which objects and arrays may nest (LLQ-JSON-4). */
export const MAX_DEPTH = 32;

/**
 * Reads JSON strictly, and reports whether it is canonical.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {Rules} rules
 * @returns {Promise<JsonText>}
 * @throws {PackageError} for the first error
 */
export async function readJson(data, file, rules) {
  const value = canonicalValue(data);
  if (value !== undefined) return { value, isCanonical: true, writtenAsInteger: integerOfCanonicalJson };
  const { readStrictly } = await import("./canonical_json.js");
  return readStrictly(data, file, rules, MAX_DEPTH);
}

/**
 * Reads canonical JSON.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {string} rule of all errors
 * @returns {Promise<Json>}
 * @throws {PackageError}
 */
export async function readCanonicalJson(data, file, rule) {
  const rules = { encoding: rule, depth: rule, syntax: rule, duplicate: rule, number: rule, surrogate: rule };
  const { value, isCanonical } = await readJson(data, file, rules);
  if (!isCanonical) throw new PackageError(`${file} is not in canonical form`, { rule });
  return value;
}

/**
 * Returns the value of bytes that are canonical JSON without an error; undefined for all others, and for some
 * that are
 * (names of digits, which JavaScript sorts by their number).
 *
 * @param {Uint8Array} data
 * @returns {Json | undefined}
 */
function canonicalValue(data) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    /** @type {Json} */
    const value = JSON.parse(text);
    // equal texts have no member twice, no white space, and no other spelling of a number or a string
    return JSON.stringify(value) === text && isCanonical(value, 0) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether names are in order, strings well-formed, integers exact (LLQ-JSON-5) and nesting is not too
 * deep.
 *
 * @param {Json} value
 * @param {number} depth of the containers around it
 * @returns {boolean}
 */
function isCanonical(value, depth) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isSafeInteger(value) || !isWrittenAsInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isCanonical(item, depth + 1));
  const names = Object.keys(value);
  return names.every(
    (name, index) =>
      name.isWellFormed() && (index === 0 || names[index - 1] < name) && isCanonical(value[name], depth + 1),
  );
}

/**
 * Returns whether canonical JSON writes a member as digits alone.
 *
 * @type {import("./json.js").WrittenAsInteger}
 */
export function integerOfCanonicalJson(container, key) {
  const value = /** @type {Record<string | number, Json>} */ (container)[key];
  return typeof value === "number" && isWrittenAsInteger(value);
}

/** @param {number} value whether RFC 8785 writes it as digits alone */
function isWrittenAsInteger(value) {
  return Number.isInteger(value) && Math.abs(value) < 1e21;
}
