/** A directory as the source of a package, for loading: what it lists and reads needs no second look. */

import { PackageError } from "../src/errors.js";
import { MAX_METADATA_BYTES, METADATA_NAME } from "../src/package/metadata.js";

/**
 * @param {import("../src/package/validate.js").Directory} directory
 * @returns {import("../src/net/package.js").Source}
 */
export function directorySource(directory) {
  /** @param {string} name @param {string} absent the rule that a file breaks which is not there */
  const sizeOf = async (name, absent) => {
    const found = (await directory.list())?.find((entry) => entry.name === name);
    if (found?.kind !== "file") {
      throw new PackageError(`${name} ${found ? "is no regular file" : "is missing"}`, {
        rule: found ? "LLQ-PKG-7" : absent,
      });
    }
    return found.size;
  };
  return {
    async metadata() {
      const size = await sizeOf(METADATA_NAME, "LLQ-PKG-1");
      if (size > MAX_METADATA_BYTES)
        throw new PackageError(`${METADATA_NAME} has ${size} bytes`, { rule: "LLQ-PKG-2" });
      return directory.read(METADATA_NAME, 0, size);
    },
    async *pieces(entry, pieces) {
      const size = await sizeOf(entry.file, "LLQ-PKG-6");
      if (size !== entry.byte_length) {
        throw new PackageError(`${entry.file} has ${size} bytes, and not ${entry.byte_length}`, {
          rule: "LLQ-PKG-8",
        });
      }
      for (const { offset, length } of pieces) yield await directory.read(entry.file, offset, length);
    },
  };
}
