/**
 * What is checked of every part before a value of it is used (LLQ-READ-4): its hash, and the rules of its
 * bytes. A part comes in pieces, in order.
 */

import { settle } from "./findings.js";
import { BLOCK, BLOCK_BYTES, isInt4, PREAMBLE_BYTES, rowsCols, sections } from "./layout.js";
import { Sha256, sha256 } from "./sha256.js";

/** @typedef {import("./metadata.js").Part} Part */
/** @typedef {import("./metadata.js").TensorEntry} TensorEntry */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** Parts of at most so many bytes are gathered and hashed by the platform, larger ones as they come. */
export const GATHERED_BYTES = 64 << 20;

const GREATEST = 65504;

/** The check of one part. */
export class PartCheck {
  /** @type {Map<string, string>} what is wrong, by rule */
  #faults = new Map();
  #at = 0;
  #head;
  #sections;
  /** @type {Sha256 | null} */
  #hash = null;
  /** @type {Bytes | null} */
  #gathered = null;

  #ofModel;

  /**
   * @param {TensorEntry} tensor
   * @param {Part} part
   * @param {boolean} ofModel whether the package has a model: then `rope.inv_freq` holds frequencies
   */
  constructor(tensor, part, ofModel) {
    this.tensor = tensor;
    this.part = part;
    this.#ofModel = ofModel;
    const [, cols] = rowsCols(tensor);
    this.cols = cols;
    this.#sections = sections(tensor.dtype, part.num_rows, cols);
    this.#head = new Uint8Array(isInt4(tensor.dtype) ? this.#section("packed").offset : 0);
    if (part.byte_length > GATHERED_BYTES) this.#hash = new Sha256();
  }

  /**
   * Takes the next bytes of the part.
   *
   * @param {Bytes} bytes
   * @returns {Promise<boolean>} whether these were the last
   */
  async take(bytes) {
    const begin = this.#at;
    this.#at += bytes.length;
    const done = this.#at === this.part.byte_length;
    if (isInt4(this.tensor.dtype)) this.#int4(bytes, begin);
    else this.#raw(bytes, begin);
    const found = await this.#hashed(bytes, begin, done);
    if (found !== null && found !== this.part.sha256) {
      this.#fault("LLQ-HASH-1", `its SHA-256 is ${found}, and not ${this.part.sha256}`);
    }
    return done;
  }

  /** Whether the hash of the part was wrong: then what arrived is not what was written. */
  get damaged() {
    return this.#faults.has("LLQ-HASH-1");
  }

  /** What is wrong, at most once a rule. @returns {import("./schema.js").Finding[]} */
  get findings() {
    const where = `${this.tensor.name}, rows from ${this.part.first_row} on`;
    return Array.from(this.#faults, ([rule, found]) => [rule, `${where}: ${found}`]);
  }

  /**
   * Throws the first fault, if there is one.
   *
   * @throws {import("../errors.js").PackageError}
   */
  settle() {
    settle(this.findings, this.damaged ? "hash" : "package");
  }

  /** @param {Bytes} bytes @param {number} begin @param {boolean} done @returns {Promise<string | null>} */
  async #hashed(bytes, begin, done) {
    if (this.#hash !== null) {
      this.#hash.update(bytes);
      return done ? this.#hash.digest() : null;
    }
    if (done && begin === 0) return sha256(bytes);
    this.#gathered ??= new Uint8Array(this.part.byte_length);
    this.#gathered.set(bytes, begin);
    if (!done) return null;
    const whole = this.#gathered;
    this.#gathered = null;
    return sha256(whole);
  }

  /** @param {string} name */
  #section(name) {
    return /** @type {ReturnType<typeof sections>[0]} */ (this.#sections.find((one) => one.name === name));
  }

  /** @param {string} rule @param {string} found */
  #fault(rule, found) {
    if (!this.#faults.has(rule)) this.#faults.set(rule, found);
  }

  /** @param {Bytes} bytes @param {number} begin */
  #int4(bytes, begin) {
    const head = this.#head.length;
    if (begin < head) {
      const count = Math.min(bytes.length, head - begin);
      this.#head.set(bytes.subarray(0, count), begin);
      if (begin + count === head) this.#checkHead();
      if (count === bytes.length) return;
      this.#codes(bytes.subarray(count), 0);
    } else {
      this.#codes(bytes, begin - head);
    }
  }

  /** Checks slot, scales and zero points. */
  #checkHead() {
    const head = this.#head;
    const view = new DataView(head.buffer);
    const word = (/** @type {number} */ at) => view.getUint32(at, true);
    const blocks = Math.ceil(this.part.num_rows / BLOCK) * Math.ceil(this.cols / BLOCK);
    if (word(0) !== BLOCK || word(4) !== BLOCK) this.#fault("LLQ-REC-1", `blocks of ${word(0)} x ${word(4)}`);
    if (word(8) !== blocks) this.#fault("LLQ-REC-2", `${word(8)} blocks, and not ${blocks}`);
    const offset = this.part.offset + 256;
    if (word(12) !== offset) this.#fault("LLQ-REC-3", `offset ${word(12)}, and not ${offset}`);
    if (head.subarray(16, 256).some(Boolean))
      this.#fault("LLQ-REC-4", "its slot has bytes that are not zero");
    this.#sections.slice(1, -1).forEach((section, i) => {
      const next = this.#sections[i + 2].offset;
      if (head.subarray(section.offset + section.size, next).some(Boolean)) {
        this.#fault("LLQ-REC-5", `behind ${section.name} bytes are not zero`);
      }
    });
    const affine = this.tensor.dtype === "int4_affine";
    const zeroPoints = affine ? this.#section("zero_point").offset : 0;
    for (let block = 0; block < blocks; block++) {
      const bits = view.getUint16(SCALES + 2 * block, true);
      if (bits < 0x0400 || bits > 0x7bff) {
        this.#fault("LLQ-DEQ-1", `block ${block} has a scale of bits ${bits.toString(16)}`);
        continue;
      }
      const scale = (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 25);
      const zeroPoint = affine ? view.getInt8(zeroPoints + block) : 8;
      if (scale * Math.max(Math.abs(zeroPoint), Math.abs(15 - zeroPoint)) > GREATEST) {
        this.#fault("LLQ-DEQ-2", `block ${block} has weights beyond ${GREATEST}`);
      }
    }
    this.#head = new Uint8Array(head.length); // not kept
  }

  /**
   * Checks that codes outside the matrix are zero; only blocks at its edges have any.
   *
   * @param {Bytes} bytes of the packed section
   * @param {number} begin where they lie in it
   */
  #codes(bytes, begin) {
    const rows = this.part.num_rows;
    const { cols } = this;
    if (rows % BLOCK === 0 && cols % BLOCK === 0) return;
    const across = Math.ceil(cols / BLOCK);
    const end = begin + bytes.length;
    for (let block = Math.floor(begin / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      const inRows = Math.min(BLOCK, rows - BLOCK * Math.floor(block / across));
      const inCols = Math.min(BLOCK, cols - BLOCK * (block % across));
      if (inRows === BLOCK && inCols === BLOCK) continue;
      const stop = Math.min(end, (block + 1) * BLOCK_BYTES);
      for (let at = Math.max(begin, block * BLOCK_BYTES); at < stop; at++) {
        const byte = bytes[at - begin];
        if (byte === 0) continue;
        const place = (at - block * BLOCK_BYTES) & 1023; // within its plane: 16 bytes a row, 4 codes a byte
        const inside = place >> 4 < inRows ? Math.max(0, Math.min(4, inCols - 4 * (place & 15))) : 0;
        if (byte >> (2 * inside) !== 0)
          this.#fault("LLQ-PACK-1", `block ${block} has codes outside the matrix`);
      }
    }
  }

  /** @param {Bytes} bytes @param {number} begin */
  #raw(bytes, begin) {
    const { size } = this.#sections[0];
    const data = bytes.subarray(0, Math.max(0, Math.min(bytes.length, size - begin)));
    if (bytes.subarray(data.length).some(Boolean))
      this.#fault("LLQ-RAW-1", "behind its data bytes are not zero");
    const whole = data.byteOffset % 4 === 0 ? data : data.slice();
    const half = this.tensor.dtype === "f16";
    if (half) {
      for (const bits of new Uint16Array(whole.buffer, whole.byteOffset, whole.length >> 1)) {
        if ((bits & 0x7c00) === 0x7c00) this.#fault("LLQ-RAW-2", "a value is not finite");
      }
      return;
    }
    for (const bits of new Uint32Array(whole.buffer, whole.byteOffset, whole.length >> 2)) {
      if ((bits & 0x7f800000) === 0x7f800000) this.#fault("LLQ-RAW-2", "a value is not finite");
    }
    if (this.#ofModel && this.tensor.name === "rope.inv_freq") {
      for (const value of new Float32Array(whole.buffer, whole.byteOffset, whole.length >> 2)) {
        if (!(value > 0 && value <= 1)) this.#fault("LLQ-MODEL-6", `a frequency of ${value}`);
      }
    }
  }
}

const SCALES = 256;
const MAGIC = [0x89, 0x4c, 0x4c, 0x51, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Yields the breaches of LLQ-SHARD-2 to LLQ-SHARD-6 in the first bytes of a shard.
 *
 * @param {Bytes} bytes at least PREAMBLE_BYTES of them
 * @param {{index: number, count: number, byteLength: number, file: string}} expected
 * @returns {Generator<import("./schema.js").Finding, void, void>}
 */
export function* checkPreamble(bytes, { index, count, byteLength, file }) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_BYTES);
  if (!MAGIC.every((byte, i) => bytes[i] === byte))
    yield ["LLQ-SHARD-2", `${file}: it does not begin as a shard does`];
  if (view.getUint16(8, true) !== 1 || view.getUint16(10, true) !== 0)
    yield ["LLQ-SHARD-3", `${file}: it is of another version`];
  if (view.getUint32(12, true) !== index || view.getUint32(16, true) !== count) {
    yield [
      "LLQ-SHARD-4",
      `${file}: it is shard ${view.getUint32(12, true)} of ${view.getUint32(16, true)}, not ${index} of ${count}`,
    ];
  }
  if (view.getBigUint64(24, true) !== BigInt(byteLength))
    yield ["LLQ-SHARD-5", `${file}: it states another length`];
  if ([...bytes.subarray(20, 24), ...bytes.subarray(32, 256)].some(Boolean)) {
    yield ["LLQ-SHARD-6", `${file}: reserved bytes are not zero`];
  }
}
