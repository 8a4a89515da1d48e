/** A directory at an address of the suite's server, which lists it and serves ranges of its files. */

import { PackageError } from "../src/errors.js";
import { get } from "./connection.js";

/**
 * Returns the directory at an address.
 *
 * @param {string} address with / at its end
 * @returns {import("../src/package/validate.js").Directory}
 */
export function directory(address) {
  return {
    list: async () => JSON.parse(new TextDecoder().decode(await get(address))),
    async read(name, offset, length) {
      if (length === 0) return new Uint8Array(0);
      const range = `bytes=${offset}-${offset + length - 1}`;
      const response = await fetch(address + name, { headers: { range } });
      if (response.status !== 206) throw new Error(`${address + name}: HTTP ${response.status} for ${range}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length !== length) {
        throw new PackageError(`${name} is shorter than it was`, { rule: "LLQ-PKG-8" });
      }
      return bytes;
    },
  };
}
