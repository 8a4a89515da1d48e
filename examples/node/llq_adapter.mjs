// An LLQ decoder and its adapter for the conformance suite, written from the specification alone.
//
//   pytest conformance --runtime='cmd:node examples/node/llq_adapter.mjs'
//
// Node's standard library only; shares no code with the suite. It claims `decode` and not `reject`: it trusts
// packages that the suite calls valid, and says nothing about others.

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// ---- The format ----------------------------------------------------------------------------------------

const BLOCK = 64;
const PLANE = 1024; // bytes; a block is a plane of low-order bits, then one of high-order bits
const SLOT = 256;

const align = (n) => 256 * Math.ceil(n / 256);

/** The value of a binary16 bit pattern (chapter Shards and records, RAW-3; chapter Dequantization). */
function binary16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bytes of a part, read from its shard. */
function readPart(directory, metadata, part) {
  const name = metadata.shards[part.shard].file;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) throw new Error("LLQ-PKG-3: no name of a shard");
  const file = openSync(join(directory, name), "r");
  try {
    // READ-3: the file must be long enough before memory is allocated for it
    if (part.offset + part.byte_length > fstatSync(file).size) throw new Error("LLQ-PKG-8: shard too short");
    const bytes = new Uint8Array(part.byte_length);
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(file, bytes, done, bytes.length - done, part.offset + done);
      if (count === 0) throw new Error("LLQ-PKG-8: the shard ends early");
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Decodes a PackedWeight record of `rows` × `cols` weights into `out`, from index `begin` on. */
function decodeRecord(bytes, affine, rows, cols, out, begin) {
  const view = new DataView(bytes.buffer);
  const across = Math.ceil(cols / BLOCK); // edge blocks included (PACK-5)
  const blocks = Math.ceil(rows / BLOCK) * across;
  if (view.getUint32(8, true) !== blocks) throw new Error("LLQ-REC-2: num_blocks is not that of the part");
  const zeroPoints = SLOT + align(2 * blocks);
  const packed = zeroPoints + (affine ? align(blocks) : 0);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const block = Math.floor(row / BLOCK) * across + Math.floor(col / BLOCK);
      const element = BLOCK * (row % BLOCK) + (col % BLOCK); // row-major within the block (PACK-2)
      const byte = packed + 2 * PLANE * block + (element >> 2);
      const shift = 2 * (element & 3); // least significant bits first (PACK-4)
      const low = (bytes[byte] >> shift) & 3;
      const high = (bytes[byte + PLANE] >> shift) & 3; // PACK-3
      const zeroPoint = affine ? view.getInt8(zeroPoints + block) : 8; // DEQ-4
      const scale = binary16(view.getUint16(SLOT + 2 * block, true)); // DEQ-6
      out[begin + row * cols + col] = scale * (low + 4 * high - zeroPoint); // DEQ-3, exact (DEQ-5)
    }
  }
}

/** Decodes the raw values of a part into `out`, from index `begin` on. */
function decodeRaw(bytes, half, count, out, begin) {
  const view = new DataView(bytes.buffer);
  if (!half) return new Uint8Array(out.buffer).set(bytes.subarray(0, 4 * count), 4 * begin); // bit for bit
  for (let i = 0; i < count; i++) out[begin + i] = binary16(view.getUint16(2 * i, true));
}

/** The weights of one tensor of a package: { shape, weights }. */
function decodeTensor(directory, name) {
  const metadata = JSON.parse(readFileSync(join(directory, "metadata.json"), "utf8"));
  if (metadata.version !== "1.0") throw new Error(`LLQ-VER-1: version ${metadata.version}`);
  const tensor = metadata.tensors.find((tensor) => tensor.name === name);
  if (!tensor) throw new Error(`there is no tensor ${JSON.stringify(name)}`);
  const [rows, cols = 1] = tensor.shape;
  const weights = new Float32Array(rows * cols);
  for (const part of tensor.parts) {
    const bytes = readPart(directory, metadata, part);
    const begin = part.first_row * cols; // parts in order of rows (PART-10)
    if (tensor.dtype.startsWith("int4")) {
      decodeRecord(bytes, tensor.dtype === "int4_affine", part.num_rows, cols, weights, begin);
    } else {
      decodeRaw(bytes, tensor.dtype === "f16", part.num_rows * cols, weights, begin);
    }
  }
  return { shape: tensor.shape, weights };
}

// ---- The adapter ---------------------------------------------------------------------------------------

/** The bytes of a .npy file, version 1.0: little-endian float32 in C order. */
function npy({ shape, weights }) {
  const dimensions = shape.join(", ") + (shape.length === 1 ? "," : "");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const header = `${text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11)}\n`; // data on a multiple of 64
  const prefix = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([prefix, Buffer.from(header, "latin1"), Buffer.from(weights.buffer)]);
}

const handlers = {
  hello: ({ protocol }) => ({
    op: "hello",
    protocol,
    name: "llq-node-example",
    version: "1.0.0",
    language: "JavaScript",
    capabilities: ["decode"],
  }),
  decode: ({ id, package: directory, tensor, output }) => {
    writeFileSync(output, npy(decodeTensor(directory, tensor)));
    return { id, ok: true };
  },
  bye: () => process.exit(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let response;
  try {
    response = handlers[request.op](request);
  } catch (error) {
    response = { id: request.id, ok: false, error: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(response)}\n`);
}
