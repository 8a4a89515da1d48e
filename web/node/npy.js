/** Arrays of float32 in .npy files. */

import { readFile, writeFile } from "node:fs/promises";

/**
 * Reads an array of little-endian float32 in C order.
 *
 * @param {string} path
 * @returns {Promise<{shape: number[], data: Float32Array<ArrayBuffer>}>}
 */
export async function readNpy(path) {
  const file = await readFile(path);
  const [length, begin] = file[6] === 1 ? [file.readUInt16LE(8), 10] : [file.readUInt32LE(8), 12];
  const header = file.toString("latin1", begin, begin + length);
  const found = /'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\)/.exec(header);
  if (found === null) throw new Error(`${path} holds no float32 array in C order: ${header.trim()}`);
  const shape = found[1].split(",").filter((size) => size.trim()).map(Number);
  const bytes = new Uint8Array(file.subarray(begin + length)); // a copy, aligned
  return { shape, data: new Float32Array(bytes.buffer) };
}

/**
 * Writes an array of little-endian float32 in C order.
 *
 * @param {string} path
 * @param {number[]} shape
 * @param {Float32Array} data
 */
export async function writeNpy(path, shape, data) {
  const dimensions = shape.join(", ") + (shape.length === 1 ? "," : "");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const header = `${text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11)}\n`; // data on a multiple of 64
  const prefix = [0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, header.length >> 8];
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  await writeFile(path, Buffer.concat([Buffer.from(prefix), Buffer.from(header, "latin1"), body]));
}
