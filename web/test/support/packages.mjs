// The packages of the tests, which tests/web/test_node.py writes into test/packages.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../packages/", import.meta.url));

/** Returns the path of a package. @param {string} name */
export function packagePath(name) {
  const path = join(FOLDER, name);
  if (!existsSync(path)) {
    throw new Error(`${path} not found: run pytest tests/web/test_node.py, which writes it`);
  }
  return path;
}

/**
 * Returns the files of a package by name.
 *
 * @param {string} name
 * @returns {Map<string, Uint8Array<ArrayBuffer>>}
 */
export function packageFiles(name) {
  const path = packagePath(name);
  return new Map(readdirSync(path).map((file) => [file, new Uint8Array(readFileSync(join(path, file)))]));
}

/**
 * Returns the bytes of a file.
 *
 * @param {ReadonlyMap<string, Uint8Array<ArrayBuffer>>} files
 * @param {string} name
 */
export function fileOf(files, name) {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`the package has no ${name}`);
  return bytes;
}
