/** A package at an address of the suite's server, whose answers need no second look. */

import { MAX_METADATA_BYTES, METADATA_NAME } from "../src/metadata.js";
import { get } from "./connection.js";

/** @param {string} address of the directory, / at its end @returns {import("../src/loading.js").Source} */
export function addressSource(address) {
  return {
    async metadata() {
      const bytes = new Uint8Array(await get(address + METADATA_NAME));
      if (bytes.length > MAX_METADATA_BYTES) throw new Error(`${METADATA_NAME} has ${bytes.length} bytes`);
      return bytes;
    },
    async *pieces(entry, pieces) {
      const file = await get(address + entry.file);
      if (file.byteLength !== entry.byte_length) throw new Error(`${entry.file} has ${file.byteLength} bytes`);
      for (const { offset, length } of pieces) yield new Uint8Array(file.slice(offset, offset + length));
    },
  };
}
