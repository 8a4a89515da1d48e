/** Module and program of a package together (spec: WGSL module, Execution program). */

import { PackageError } from "../errors.js";
import { checkProgram } from "../package/checks/program.js";
import { MAX_MODULE_BYTES, readModule } from "../package/module.js";
import { MAX_PROGRAM_BYTES, parseProgram, toProgram } from "./program.js";

/** @typedef {import("../net/package.js").Package} Package */

/**
 * Returns the program of a package and the sections of its module, both checked (LLQ-PROG-22).
 *
 * @param {Package} opened
 * @param {AbortSignal} [signal]
 * @returns {Promise<{program: import("./program.js").Program, sections: Map<string, import("../package/module.js").Section>}>}
 * @throws {PackageError} `no-program` where the package has none
 */
export async function readExecution(opened, signal) {
  const { module, program, model } = opened.metadata;
  if (program === undefined || module === undefined || model === undefined) {
    throw new PackageError("this package holds no execution program: `llq program DIR` gives it one", {
      code: "no-program",
    });
  }
  // before memory is taken for them
  if (module.byte_length > MAX_MODULE_BYTES) {
    throw new PackageError(`the module has ${module.byte_length} bytes`, { rule: "LLQ-WGSL-1" });
  }
  if (program.byte_length > MAX_PROGRAM_BYTES) {
    throw new PackageError(`program.json has ${program.byte_length} bytes`, { rule: "LLQ-PROG-1" });
  }
  const [moduleBytes, programBytes] = await Promise.all([
    opened.readFile(module, signal),
    opened.readFile(program, signal),
  ]);
  const sections = readModule(moduleBytes);
  const value = parseProgram(programBytes);
  checkProgram(value, opened.metadata, model, sections);
  return { program: toProgram(value), sections };
}
