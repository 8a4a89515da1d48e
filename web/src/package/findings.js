/** Findings: rules that a package breaks, and which of them is named. */

import { PackageError } from "../errors.js";
import { RULES } from "./specification.js";

/** @typedef {import("./schema.js").Finding} Finding */

const ORDER = new Map(RULES.map((rule, at) => [rule, at]));

/**
 * Throws the first of some findings of one stage, as chapter Validation orders them (LLQ-READ-1).
 *
 * @param {Iterable<Finding>} findings
 * @param {string} [code] of the error
 * @throws {PackageError}
 */
export function settle(findings, code) {
  /** @type {Finding | null} */
  let first = null;
  for (const one of findings) {
    if (first === null || place(one) < place(first)) first = one;
  }
  if (first !== null) throw new PackageError(first[1], { rule: first[0], code });
}

/** @param {Finding} finding */
function place([rule]) {
  return ORDER.get(rule) ?? Infinity;
}
