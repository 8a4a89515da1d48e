/**
 * What is checked of every part before a value of it is used (LLQ-READ-4): its hash, and the rules of its
 * bytes. A part comes in pieces, in order.
 */

import { BLOCK, BLOCK_BYTES, isInt4, rowsCols, SLOT_BYTES, sections } from "./layout.js";
import { Sha256, sha256 } from "./sha256.js";
import { measured } from "./stages.js";

/** @typedef {import("./findings.js").Finding} Finding */
/** @typedef {import("./metadata_types.js").Part} Part */
/** @typedef {Pick<import("./metadata_types.js").TensorEntry, "name" | "dtype" | "shape">} CheckedTensor */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * Maximum size of a part that is gathered and hashed by WebCrypto, in bytes; larger ones are hashed as they
 * come.
 */
export const GATHERED_BYTES = 64 << 20;

/** The largest finite value of binary16. */
const MAX_WEIGHT = 65504;

/** The check of one part. */
export class PartCheck {
  /** @type {Map<string, string>} the first finding of each rule */
  #messages = new Map();
  #at = 0;
  #head;
  #sections;
  /** @type {Sha256 | null} */
  #hash = null;
  /** @type {Bytes | null} */
  #gathered = null;

  #ofModel;

  /**
   * @param {CheckedTensor} tensor
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
    const digest = await measured("hash", () => this.#digest(bytes, begin, done));
    if (digest !== null && digest !== this.part.sha256) {
      this.#find("LLQ-HASH-1", `its SHA-256 is ${digest}, expected ${this.part.sha256}`);
    }
    return done;
  }

  /** Whether the hash of the part was wrong: what arrived is not what was written. */
  get damaged() {
    return this.#messages.has("LLQ-HASH-1");
  }

  /** The findings, at most one of each rule. @returns {Finding[]} */
  get findings() {
    const place = `${this.tensor.name}, rows from ${this.part.first_row} on`;
    return Array.from(this.#messages, ([rule, message]) => [rule, `${place}: ${message}`]);
  }

  /**
   * Adds bytes to the hash; returns it after the last.
   *
   * @param {Bytes} bytes @param {number} begin @param {boolean} done @returns {Promise<string | null>}
   */
  async #digest(bytes, begin, done) {
    if (this.part.byte_length > GATHERED_BYTES) {
      this.#hash ??= await Sha256.create();
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
    return /** @type {ReturnType<typeof sections>[0]} */ (
      this.#sections.find((section) => section.name === name)
    );
  }

  /** @param {string} rule @param {string} message */
  #find(rule, message) {
    if (!this.#messages.has(rule)) this.#messages.set(rule, message);
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
    if (word(0) !== BLOCK || word(4) !== BLOCK) this.#find("LLQ-REC-1", `blocks of ${word(0)} x ${word(4)}`);
    if (word(8) !== blocks) this.#find("LLQ-REC-2", `${word(8)} blocks, expected ${blocks}`);
    const offset = this.part.offset + SLOT_BYTES;
    if (word(12) !== offset) this.#find("LLQ-REC-3", `offset ${word(12)}, expected ${offset}`);
    if (head.subarray(16, SLOT_BYTES).some(Boolean)) {
      this.#find("LLQ-REC-4", "reserved bytes of its slot are not zero");
    }
    for (const [index, section] of this.#sections.slice(1, -1).entries()) {
      const next = this.#sections[index + 2].offset;
      if (head.subarray(section.offset + section.size, next).some(Boolean)) {
        this.#find("LLQ-REC-5", `the padding after ${section.name} is not zero`);
      }
    }
    this.#checkBlocks(view, blocks);
    this.#head = new Uint8Array(head.length); // its bytes are no longer needed
  }

  /** Checks the scale and the zero-point of each block. @param {DataView} view @param {number} blocks */
  #checkBlocks(view, blocks) {
    const affine = this.tensor.dtype === "int4_affine";
    const scales = this.#section("scale").offset;
    const zeroPoints = affine ? this.#section("zero_point").offset : 0;
    for (let block = 0; block < blocks; block++) {
      const bits = view.getUint16(scales + 2 * block, true);
      if (bits < 0x0400 || bits > 0x7bff) {
        this.#find(
          "LLQ-DEQ-1",
          `block ${block} has the scale 0x${bits.toString(16)}, expected 0x400 to 0x7bff`,
        );
        continue;
      }
      const scale = (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 25);
      const zeroPoint = affine ? view.getInt8(zeroPoints + block) : 8;
      if (scale * Math.max(Math.abs(zeroPoint), Math.abs(15 - zeroPoint)) > MAX_WEIGHT) {
        this.#find("LLQ-DEQ-2", `block ${block} has weights above ${MAX_WEIGHT}`);
      }
    }
  }

  /**
   * Checks that codes outside the matrix are zero; only blocks at its edges have any.
   *
   * @param {Bytes} bytes of the packed section
   * @param {number} begin their offset in it
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
        if (byte >> (2 * inside) !== 0) {
          this.#find("LLQ-PACK-1", `block ${block} has codes outside the matrix`);
        }
      }
    }
  }

  /** Checks values of a raw tensor. @param {Bytes} bytes @param {number} begin */
  #raw(bytes, begin) {
    const { size } = this.#sections[0];
    const data = bytes.subarray(0, Math.max(0, Math.min(bytes.length, size - begin)));
    if (bytes.subarray(data.length).some(Boolean)) {
      this.#find("LLQ-RAW-1", "the padding after its data is not zero");
    }
    const aligned = data.byteOffset % 4 === 0 ? data : data.slice();
    const { buffer, byteOffset, length } = aligned;
    if (this.tensor.dtype === "f16") this.#halves(new Uint16Array(buffer, byteOffset, length >> 1));
    else this.#singles(new Float32Array(buffer, byteOffset, length >> 2));
  }

  /** @param {Uint16Array} values of binary16 */
  #halves(values) {
    for (const bits of values) {
      if ((bits & 0x7c00) === 0x7c00) this.#find("LLQ-RAW-2", "a value is not finite");
    }
  }

  /** @param {Float32Array} values */
  #singles(values) {
    const areFrequencies = this.#ofModel && this.tensor.name === "rope.inv_freq";
    for (const value of values) {
      if (!Number.isFinite(value)) this.#find("LLQ-RAW-2", "a value is not finite");
      if (areFrequencies && !(value > 0 && value <= 1)) {
        this.#find("LLQ-MODEL-6", `a frequency is ${value}, expected above 0 and at most 1`);
      }
    }
  }
}
