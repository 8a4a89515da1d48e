/** A package in a directory, for Node. */

import { open } from "node:fs/promises";
import { join } from "node:path";

import { PackageError } from "../src/errors.js";
import { MAX_METADATA_BYTES, METADATA_NAME } from "../src/metadata.js";

/** @typedef {import("../src/loading.js").Source} Source */

/**
 * Returns the source of a package at a path.
 *
 * @param {string} directory
 * @returns {Source}
 */
export function directorySource(directory) {
  return {
    async metadata() {
      const file = await opened(join(directory, METADATA_NAME), "LLQ-PKG-1");
      try {
        const { size } = await file.stat();
        if (size > MAX_METADATA_BYTES) throw new PackageError(`metadata.json has ${size} bytes`, { rule: "LLQ-PKG-2" });
        return new Uint8Array(await file.readFile());
      } finally {
        await file.close();
      }
    },
    async *pieces(entry, pieces) {
      const file = await opened(join(directory, entry.file), "LLQ-PKG-6");
      try {
        const { size } = await file.stat();
        if (size !== entry.byte_length) {
          throw new PackageError(`${entry.file} has ${size} bytes, and not ${entry.byte_length}`, { rule: "LLQ-PKG-8" });
        }
        for (const { offset, length } of pieces) {
          const bytes = new Uint8Array(length);
          for (let done = 0; done < length; ) {
            const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
            if (bytesRead === 0) throw new PackageError(`${entry.file} became shorter`, { rule: "LLQ-PKG-8" });
            done += bytesRead;
          }
          yield bytes;
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** @param {string} path @param {string} rule */
async function opened(path, rule) {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw new PackageError(`${path} cannot be read`, { rule, cause });
  }
}
