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
 * @param {{syntax: string, form: string, encoding: string, surrogate: string}} rules that such faults break
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
  if (form !== text) {
    throw new PackageError(`${file} is not in canonical form`, { rule: rules.form });
  }
  return value;
}
