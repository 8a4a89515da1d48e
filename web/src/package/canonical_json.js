/** Canonical JSON: RFC 8785, which metadata.json and program.json are written in (LLQ-CANON-1). */

import { PackageError } from "../errors.js";
import { parseJson } from "./json.js";

/** @typedef {any} Json a value of JSON.parse */
/** @typedef {"encoding" | "depth" | import("./json.js").Fault} Fault */
/** @typedef {{value: Json, isCanonical: boolean, writtenAsInteger: import("./json.js").WrittenAsInteger}} Read */

/** @type {import("./json.js").Fault[]} */
const ORDER = ["syntax", "duplicate", "number", "surrogate"];

const SAID = {
  encoding: "is not UTF-8 without a byte order mark",
  depth: "nests deeper than 32 levels",
  syntax: "is not one value of JSON",
  duplicate: "has an object with two members of the same name",
  number: "holds a number that binary64 does not count exactly, or not at all",
  surrogate: "holds half a surrogate pair",
};

/**
 * Returns the RFC 8785 serialization of a value.
 *
 * @param {Json} value
 * @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort(); // by UTF-16 code units, as RFC 8785 has it
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/**
 * Reads JSON strictly, and tells whether it is canonical.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {Record<Fault, string>} rules that faults break
 * @returns {Read}
 * @throws {PackageError} for the first fault
 */
export function readJson(data, file, rules) {
  const refuse = (/** @type {Fault} */ fault) => {
    throw new PackageError(`${file} ${SAID[fault]}`, { rule: rules[fault] });
  };
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    refuse("encoding");
  }
  if (text.startsWith("\uFEFF")) refuse("encoding");
  if (depth(text) > MAX_DEPTH) refuse("depth");
  const value = readQuickly(text);
  if (value !== undefined) {
    const writtenAsInteger = (/** @type {any} */ container, /** @type {string | number} */ key) =>
      Number.isInteger(container[key]) && Math.abs(container[key]) < 1e21;
    return { value, isCanonical: true, writtenAsInteger };
  }
  const parsed = parseJson(text);
  const fault = ORDER.find((one) => parsed.faults.has(one));
  if (fault !== undefined) refuse(fault);
  return {
    value: parsed.value,
    isCanonical: canonical(parsed.value) === text,
    writtenAsInteger: parsed.writtenAsInteger,
  };
}

/**
 * Parses canonical JSON.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {string} rule that all faults break
 * @returns {Json}
 * @throws {PackageError}
 */
export function parseCanonical(data, file, rule) {
  const rules = { encoding: rule, depth: rule, syntax: rule, duplicate: rule, number: rule, surrogate: rule };
  const { value, isCanonical } = readJson(data, file, rules);
  if (!isCanonical) throw new PackageError(`${file} is not in canonical form`, { rule });
  return value;
}

/** Returns the value of a text that is canonical and has no fault, by the platform's parser; undefined for others. */
function readQuickly(/** @type {string} */ text) {
  try {
    const value = JSON.parse(text);
    // text that equals its own value's serialization has no member twice, no white space, no other spellings
    return canonical(value) === text && holds(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Json} value @returns {boolean} whether its strings are well-formed, and its integers exact (LLQ-JSON-5) */
function holds(value) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number")
    return !Number.isInteger(value) || Number.isSafeInteger(value) || Math.abs(value) >= 1e21;
  if (Array.isArray(value)) return value.every(holds);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, item]) => name.isWellFormed() && holds(item));
}

const MAX_DEPTH = 32;

/** @param {string} text how deep objects and arrays nest, counted on the text as LLQ-JSON-4 says */
function depth(text) {
  let level = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    if (mark === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
    } else if (mark === "[" || mark === "{") deepest = Math.max(deepest, ++level);
    else if (mark === "]" || mark === "}") level--;
  }
  return deepest;
}
