/**
 * Arrays as .npy files, version 1.0: little-endian float32 in C order.
 *
 * @module harness/npy
 */

const MAGIC = "\x93NUMPY\x01\x00";

/** @param {Float32Array} values @param {number[]} shape @returns {Blob} */
export function npy(values, shape) {
  const dimensions = shape.join(", ") + (shape.length === 1 ? "," : "");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const length = 64 * Math.ceil((text.length + 11) / 64) - 10; // numbers begin on a multiple of 64
  const header = MAGIC + String.fromCharCode(length & 255, length >> 8) + text.padEnd(length - 1) + "\n";
  const bytes = Uint8Array.from(header, (character) => character.charCodeAt(0));
  return new Blob([bytes, /** @type {Float32Array<ArrayBuffer>} */ (values)]);
}

/** @param {ArrayBuffer} file @returns {{values: Float32Array, shape: number[]}} */
export function fromNpy(file) {
  const bytes = new Uint8Array(file);
  const length = bytes[8] | (bytes[9] << 8);
  const header = String.fromCharCode(...bytes.subarray(0, 10 + length));
  const shape = /'shape': \(([\d, ]*)\)/.exec(header);
  if (!header.startsWith(MAGIC) || !header.includes("'<f4'") || !shape || header.includes("True")) {
    throw new Error(`not a .npy of float32 in C order: ${JSON.stringify(header.slice(0, 80))}`);
  }
  const values = new Float32Array(file.slice(10 + length));
  return { values, shape: shape[1].split(",").map(Number).filter((size, i, all) => i < all.length - 1 || size) };
}
