/** program.json as bytes (spec: Execution program). */

import { PackageError } from "../errors.js";
import { readCanonicalJson } from "./read_json.js";

/** @typedef {import("./program_types.js").ProgramFile} ProgramFile */

export const PROGRAM_NAME = "program.json";
export const MAX_PROGRAM_BYTES = 1 << 24;

/**
 * Returns the value of program.json, whose members are not checked.
 *
 * @param {Uint8Array} data
 * @returns {Promise<ProgramFile>}
 * @throws {PackageError} LLQ-PROG-1, LLQ-PROG-2
 */
export async function parseProgram(data) {
  checkProgramSize(data.length);
  const value = await readCanonicalJson(data, PROGRAM_NAME, "LLQ-PROG-2");
  return /** @type {ProgramFile} */ (/** @type {unknown} */ (value));
}

/** @param {number} size of program.json, in bytes @throws {PackageError} LLQ-PROG-1 */
export function checkProgramSize(size) {
  if (size >= 2 && size <= MAX_PROGRAM_BYTES) return;
  throw new PackageError(`${PROGRAM_NAME} is ${size} bytes long (allowed: 2 to ${MAX_PROGRAM_BYTES})`, {
    rule: "LLQ-PROG-1",
  });
}
