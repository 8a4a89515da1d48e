/**
 * The check of a shard that comes in pieces: its preamble, then its parts, which tile the rest (LLQ-READ-4).
 */

import { PREAMBLE_BYTES } from "./layout.js";
import { PartCheck } from "./part_check.js";
import { checkPreamble } from "./preamble.js";

/** @typedef {import("./findings.js").Finding} Finding */
/** @typedef {import("./metadata_types.js").Metadata} Metadata */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * @typedef {object} Element the preamble or a part of a shard, all of whose bytes have come
 * @property {number} offset
 * @property {number} length
 * @property {Finding[]} findings
 * @property {boolean} damaged whether other bytes came than were written; then it may help to fetch them
 *   again
 * @property {string} code of the error
 */

/** The check of one shard. */
export class ShardCheck {
  #metadata;
  #index;
  #parts;
  #nextPart = 0;
  /** @type {PartCheck | null} */
  #partCheck = null;

  /** @param {Metadata} metadata @param {number} index of the shard */
  constructor(metadata, index) {
    this.#metadata = metadata;
    this.#index = index;
    this.#parts = metadata.tensors
      .flatMap((tensor) => tensor.parts.map((part) => ({ tensor, part })))
      .filter(({ part }) => part.shard === index)
      .sort((a, b) => a.part.offset - b.part.offset);
    /** Offset of the byte that is checked next. */
    this.position = 0;
  }

  /**
   * Checks bytes, and yields the elements that they complete. Bytes before `position` are skipped.
   *
   * @param {Bytes} bytes the first ones hold the whole preamble
   * @param {number} begin their offset in the shard
   * @returns {AsyncGenerator<Element, void, void>}
   */
  async *take(bytes, begin) {
    if (this.position === 0) yield this.#preamble(bytes);
    while (this.position < begin + bytes.length) {
      const element = await this.#part(bytes.subarray(this.position - begin));
      if (element !== null) yield element;
    }
  }

  /** Goes back to the beginning of the element that was yielded last. @param {Element} element */
  rewind({ offset }) {
    this.position = offset;
    if (offset > 0) this.#nextPart--;
  }

  /** @param {Bytes} bytes @returns {Element} */
  #preamble(bytes) {
    const { shards } = this.#metadata;
    const { file, byte_length: byteLength } = shards[this.#index];
    const findings = [
      ...checkPreamble(bytes, { index: this.#index, count: shards.length, byteLength, file }),
    ];
    this.position = PREAMBLE_BYTES;
    return { offset: 0, length: PREAMBLE_BYTES, findings, damaged: findings.length > 0, code: "package" };
  }

  /**
   * @param {Bytes} bytes from `position` on
   * @returns {Promise<Element | null>} null where the part goes on after them
   */
  async #part(bytes) {
    const { tensor, part } = this.#parts[this.#nextPart];
    this.#partCheck ??= new PartCheck(tensor, part, this.#metadata.model !== undefined);
    const check = this.#partCheck;
    const ofPart = bytes.subarray(0, part.offset + part.byte_length - this.position);
    this.position += ofPart.length;
    if (!(await check.take(ofPart))) return null;
    this.#partCheck = null;
    this.#nextPart++;
    const { findings, damaged } = check;
    const code = damaged ? "hash" : "package";
    return { offset: part.offset, length: part.byte_length, findings, damaged, code };
  }
}
