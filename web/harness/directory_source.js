/** A directory as the source of a package. */

import { PackageError } from "../src/errors.js";
import { checkMetadataSize, METADATA_NAME } from "../src/package/metadata.js";

/**
 * Returns the source of the package in a directory.
 *
 * @param {import("../src/package/validate.js").Directory} directory
 * @returns {import("../src/net/source.js").Source}
 */
export function directorySource(directory) {
  /** @param {string} name @param {string} absent rule that is broken where there is no such file */
  const sizeOf = async (name, absent) => {
    const entry = (await directory.list())?.find((other) => other.name === name);
    if (entry === undefined) throw new PackageError(`${name} not found`, { rule: absent });
    if (entry.kind !== "file") throw new PackageError(`${name} is not a regular file`, { rule: "LLQ-PKG-7" });
    return entry.size;
  };
  return {
    async metadata() {
      const size = await sizeOf(METADATA_NAME, "LLQ-PKG-1");
      checkMetadataSize(size);
      return directory.read(METADATA_NAME, 0, size);
    },
    async piece(entry, { offset, length }) {
      const size = await sizeOf(entry.file, "LLQ-PKG-6");
      if (size !== entry.byte_length) {
        throw new PackageError(`${entry.file} is ${size} bytes long, expected ${entry.byte_length}`, {
          rule: "LLQ-PKG-8",
        });
      }
      return directory.read(entry.file, offset, length);
    },
  };
}
