/** A directory of the file system, for Node and Deno. */

import { lstat, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { PackageError } from "../src/errors.js";

/**
 * Returns the directory at a path.
 *
 * @param {string} path
 * @returns {import("../src/package/validate.js").Directory}
 */
export function directory(path) {
  return {
    async list() {
      if (!(await stat(path).catch(() => null))?.isDirectory()) return null; // the directory itself may be a link
      const names = await readdir(path);
      return Promise.all(
        names.map(async (name) => {
          const status = await lstat(join(path, name));
          return { name, kind: status.isFile() ? "file" : "other", size: status.size };
        }),
      );
    },
    async read(name, offset, length) {
      const file = await open(join(path, name), "r");
      try {
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) {
            throw new PackageError(`${name} is shorter than it was`, { rule: "LLQ-PKG-8" });
          }
          done += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}
