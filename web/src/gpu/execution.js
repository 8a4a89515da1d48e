/** Module and program of a package together (spec: WGSL module, Execution program). */

import { PackageError } from "../errors.js";
import { checkProgram } from "../package/checks/program.js";
import { checkModuleSize, MAX_MODULE_BYTES, readModule } from "../package/module.js";
import { checkProgramSize, MAX_PROGRAM_BYTES, parseProgram } from "../package/program_file.js";
import { toProgram } from "./program.js";

/** @typedef {import("../net/package.js").Package} Package */
/** @typedef {import("../package/module.js").Section} Section */
/** @typedef {{program: import("./program.js").Program, sections: Map<string, Section>}} Execution */

/**
 * Returns the program of a package and the sections of its module, both checked (LLQ-PROG-22).
 *
 * @param {Package} opened
 * @param {AbortSignal} [signal]
 * @returns {Promise<Execution>}
 * @throws {PackageError} `no-program` where the package has none
 */
export async function readExecution(opened, signal) {
  const { module, program, model } = opened.metadata;
  if (program === undefined || module === undefined || model === undefined) {
    throw new PackageError("this package has no execution program: `llq program DIR` adds one", {
      code: "no-program",
    });
  }
  // before memory is allocated for them
  if (module.byte_length > MAX_MODULE_BYTES) checkModuleSize(module.byte_length);
  if (program.byte_length > MAX_PROGRAM_BYTES) checkProgramSize(program.byte_length);
  const [moduleBytes, programBytes] = await Promise.all([
    opened.readFile(module, signal),
    opened.readFile(program, signal),
  ]);
  const sections = readModule(moduleBytes);
  const file = await parseProgram(programBytes);
  checkProgram(file, opened.metadata, model, sections);
  return { program: toProgram(file), sections };
}
