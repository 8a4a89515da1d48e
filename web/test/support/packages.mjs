// The packages of the tests, which tests/test_web.py writes beside them.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../packages/", import.meta.url));

/** Returns the path of a package. */
export function packagePath(name) {
  const path = join(FOLDER, name);
  if (!existsSync(path))
    throw new Error(`there is no ${path}: run pytest tests/test_web.py, which writes it`);
  return path;
}

/** Returns the files of a package by name. */
export function packageFiles(name) {
  const path = packagePath(name);
  return new Map(readdirSync(path).map((file) => [file, new Uint8Array(readFileSync(join(path, file)))]));
}
