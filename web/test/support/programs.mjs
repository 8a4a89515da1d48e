// The program of a package, and the rule that a changed one breaks.

import { directorySource } from "../../harness/directory_source.js";
import { directory } from "../../node/directory.js";
import { PackageError } from "../../src/errors.js";
import { Package } from "../../src/net/package.js";
import { checkProgram } from "../../src/package/checks/program.js";
import { readModule } from "../../src/package/module.js";
import { parseProgram } from "../../src/package/program_file.js";

/**
 * @typedef {(data: Uint8Array) => Promise<string | null>} ProgramJudge the rule of the first error of a
 *   program.json
 */

/**
 * Returns the bytes of a package's program.json, and a judge of others in its place.
 *
 * @param {string} path of the package
 * @returns {Promise<{data: Uint8Array, ruleOf: ProgramJudge}>}
 */
export async function programOf(path) {
  const opened = await Package.open(directorySource(directory(path)));
  const { metadata } = opened;
  const { module, program, model } = metadata;
  if (module === undefined || program === undefined || model === undefined) {
    throw new Error(`${path} has no program`);
  }
  const sections = readModule(await opened.readFile(module));
  return {
    data: await opened.readFile(program),
    async ruleOf(data) {
      try {
        checkProgram(await parseProgram(data), metadata, model, sections);
        return null;
      } catch (error) {
        if (error instanceof PackageError) return error.rule;
        throw error;
      }
    },
  };
}
