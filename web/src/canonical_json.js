/** Canonical JSON: RFC 8785, which metadata.json and program.json are written in (LLQ-CANON-1). */

import { PackageError } from "./errors.js";

/** @typedef {any} Json a value of JSON.parse */

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
 * Parses canonical JSON. Only text that equals its own value's serialization is taken, so repeated members,
 * white space, infinities and other spellings are refused with it.
 *
 * @param {Uint8Array} data
 * @param {string} file its name, for messages
 * @param {Record<"encoding" | "depth" | "syntax" | "number" | "surrogate" | "form", string>} rules that such faults break
 * @returns {Json}
 * @throws {PackageError}
 */
export function parseCanonical(data, file, rules) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw new PackageError(`${file} is not UTF-8`, { rule: rules.encoding, cause });
  }
  if (text.startsWith("\uFEFF")) {
    throw new PackageError(`${file} begins with a byte order mark`, { rule: rules.encoding });
  }
  if (depth(text) > MAX_DEPTH) {
    throw new PackageError(`${file} nests deeper than ${MAX_DEPTH} levels`, { rule: rules.depth });
  }
  let value, form;
  try {
    value = JSON.parse(text);
    form = canonical(value);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new PackageError(`${file} is no JSON: ${found}`, { rule: rules.syntax, cause });
  }
  // stringify escapes halves of pairs alone; an even number of backslashes before them is text
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(form)) {
    throw new PackageError(`${file} holds half a surrogate pair`, { rule: rules.surrogate });
  }
  if (hasUnsafeInteger(value)) {
    throw new PackageError(`${file} holds an integer beyond 2^53 - 1`, { rule: rules.number });
  }
  if (form !== text) {
    throw new PackageError(`${file} is not in canonical form`, { rule: rules.form });
  }
  return value;
}

const MAX_DEPTH = 32;

/** @param {string} text how deep objects and arrays nest, counted on the text as LLQ-JSON-4 says */
function depth(text) {
  let level = 0;
  let deepest = 0;
  for (const [mark] of text.matchAll(/"(?:[^"\\]|\\[^])*(?:"|$)|[[{]|[\]}]/g)) {
    if (mark === "[" || mark === "{") deepest = Math.max(deepest, ++level);
    else if (mark === "]" || mark === "}") level--;
  }
  return deepest;
}

/** @param {Json} value whether a number that is written without exponent is beyond what binary64 counts (LLQ-JSON-5) */
function hasUnsafeInteger(value) {
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21;
  }
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnsafeInteger);
}
