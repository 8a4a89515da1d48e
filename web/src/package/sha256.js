/**
 * SHA-256: of whole buffers by WebCrypto; of bytes as they come, which WebCrypto cannot, in WebAssembly, three
 * times as fast in Chromium as in JavaScript.
 */

import { sha256 as noble } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import hashWasm from "hash-wasm/dist/sha256.umd.min.js"; // its index has all of its hashes

/**
 * Returns the SHA-256 of bytes as 64 hexadecimal digits.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<string>}
 */
export async function sha256(data) {
  if (globalThis.crypto?.subtle === undefined) {
    return (await Sha256.create()).update(data).digest(); // a page from a plain http: address has no WebCrypto
  }
  return bytesToHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

/** A hash of bytes that come in pieces. */
export class Sha256 {
  #hash;

  /** @param {{update: (data: Uint8Array) => void, hex: () => string}} hash */
  constructor(hash) {
    this.#hash = hash;
  }

  /** Returns the hash of no bytes yet. */
  static async create() {
    try {
      const hash = await hashWasm.createSHA256();
      return new Sha256({ update: (data) => hash.update(data), hex: () => hash.digest("hex") });
    } catch {
      const hash = noble.create(); // a page's policy may forbid WebAssembly
      return new Sha256({ update: (data) => hash.update(data), hex: () => bytesToHex(hash.digest()) });
    }
  }

  /** @param {Uint8Array} data @returns {this} */
  update(data) {
    this.#hash.update(data);
    return this;
  }

  /** Returns the hash of all bytes, as 64 hexadecimal digits; no more may be added afterwards. */
  digest() {
    return this.#hash.hex();
  }
}
