/**
 * SHA-256: of whole buffers by WebCrypto, of bytes as they come by @noble/hashes, for WebCrypto cannot.
 */

import { sha256 as noble } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/**
 * Returns the SHA-256 of bytes as 64 hexadecimal digits.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<string>}
 */
export async function sha256(data) {
  if (globalThis.crypto?.subtle === undefined) {
    return bytesToHex(noble(data)); // a page from a plain http: address has no WebCrypto
  }
  return bytesToHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

/** A hash of bytes that come in pieces. */
export class Sha256 {
  #hash = noble.create();

  /** @param {Uint8Array} data @returns {this} */
  update(data) {
    this.#hash.update(data);
    return this;
  }

  /** Returns the hash of all bytes, as 64 hexadecimal digits; no more may be added afterwards. */
  digest() {
    return bytesToHex(this.#hash.digest());
  }
}
