/** Findings: rules that a package breaks, and which of them is named. */

import { PackageError } from "../errors.js";
import { RULES } from "./specification.js";

/** @typedef {[rule: string, message: string]} Finding a broken rule, what was found, and what was expected */
/** @typedef {Generator<Finding, void, void>} Findings */

const ORDER = new Map(RULES.map((rule, index) => [rule, index]));

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
  for (const finding of findings) {
    if (first === null || order(finding) < order(first)) first = finding;
  }
  if (first !== null) throw new PackageError(first[1], { rule: first[0], code });
}

/** @param {Finding} finding */
function order([rule]) {
  return ORDER.get(rule) ?? Infinity;
}
