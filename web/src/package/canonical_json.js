/**
 * Canonical JSON (RFC 8785), in which metadata.json and program.json are written (LLQ-CANON-1), read
 * strictly.
 */

import { PackageError } from "../errors.js";
import { parseJson } from "./json.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./json.js").Violation} Violation */
/**
 * @typedef {{value: Json, isCanonical: boolean, writtenAsInteger: import("./json.js").WrittenAsInteger}}
 *   JsonText
 */
/** @typedef {Record<"encoding" | "depth" | Violation, string>} Rules the rule of each violation */

/** @type {Violation[]} */
const ORDER = ["syntax", "duplicate", "number", "surrogate"];

const DESCRIPTIONS = {
  encoding: "is not UTF-8, or begins with a byte order mark",
  depth: "has more nested levels than allowed",
  syntax: "is not exactly one JSON value",
  duplicate: "has an object with two members of the same name",
  number: "has a number that binary64 cannot represent exactly",
  surrogate: "has half a surrogate pair",
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
  const names = Object.keys(value).sort(); // by UTF-16 code units, as RFC 8785 has it
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/**
 * Reads JSON by the strict parser.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {Rules} rules
 * @param {number} maxDepth
 * @returns {JsonText}
 * @throws {PackageError} for the first violation
 */
export function readStrictly(data, file, rules, maxDepth) {
  const refusal = (/** @type {keyof Rules} */ violation) =>
    new PackageError(`${file} ${DESCRIPTIONS[violation]}`, { rule: rules[violation] });
  const text = decoded(data);
  if (text === null) throw refusal("encoding");
  if (depth(text) > maxDepth) throw refusal("depth");
  const { value, violations, writtenAsInteger } = parseJson(text);
  const violation = ORDER.find((name) => violations.has(name));
  if (violation !== undefined) throw refusal(violation);
  return { value, isCanonical: canonical(value) === text, writtenAsInteger };
}

/**
 * @param {Uint8Array} data
 * @returns {string | null} its text, null where it is not UTF-8 without a byte order mark
 */
function decoded(data) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    return text.startsWith("\uFEFF") ? null : text;
  } catch {
    return null;
  }
}

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
