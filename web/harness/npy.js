/**
 * Arrays as .npy files: little-endian float32 in C order.
 *
 * @module harness/npy
 */

/** @typedef {{shape: number[], data: Float32Array<ArrayBuffer>}} Reals */

/**
 * Returns a file of version 1.0.
 *
 * @param {Float32Array} data
 * @param {number[]} shape
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function toNpy(data, shape) {
  const dimensions = shape.join(", ") + (shape.length === 1 ? "," : "");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const length = 64 * Math.ceil((text.length + 11) / 64) - 10; // numbers begin on a multiple of 64
  const header = `\x93NUMPY\x01\x00${String.fromCharCode(length & 255, length >> 8)}${text.padEnd(length - 1)}\n`;
  const file = new Uint8Array(header.length + data.byteLength);
  file.set(Uint8Array.from(header, (character) => character.charCodeAt(0)));
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}

/**
 * Returns the array of a file of version 1.0 or 2.0.
 *
 * @param {Uint8Array} file
 * @returns {Reals}
 * @throws {Error} for another element type or order
 */
export function fromNpy(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const [length, begin] = file[6] === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const text = new TextDecoder("latin1").decode(file.subarray(0, begin + length));
  const match = /'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\)/.exec(text);
  if (file[0] !== 0x93 || !text.startsWith("NUMPY", 1) || match === null) {
    throw new Error(`not a .npy of float32 in C order: ${JSON.stringify(text.slice(0, 80))}`);
  }
  const shape = match[1]
    .split(",")
    .filter((size) => size.trim())
    .map(Number);
  return { shape, data: new Float32Array(file.slice(begin + length).buffer) }; // a copy, aligned
}
