/** The check of elements of a shard, whose bytes come in pieces. */

import { PartCheck } from "./part_check.js";
import { checkPreamble } from "./preamble.js";

/** @typedef {import("./findings.js").Finding} Finding */
/** @typedef {import("./shard_elements.js").Element} Element */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * @typedef {object} ElementReport about an element all of whose bytes have come; it can be copied
 * @property {Finding[]} findings
 * @property {boolean} damaged whether other bytes came than were written; then it may help to fetch them
 *   again
 * @property {string} code of the error
 */

/** The check of elements that follow each other. */
export class ShardCheck {
  #elements;
  #position;
  #next = 0;
  /** @type {PartCheck | null} */
  #partCheck = null;

  /** @param {Element[]} elements */
  constructor(elements) {
    this.#elements = elements;
    this.#position = elements[0].offset;
  }

  /**
   * Checks the next bytes, and returns reports on the elements that they complete.
   *
   * @param {Bytes} bytes the first ones of a shard hold the whole preamble
   * @returns {Promise<ElementReport[]>}
   */
  async take(bytes) {
    /** @type {ElementReport[]} */
    const reports = [];
    const begin = this.#position;
    while (this.#position < begin + bytes.length) {
      const element = this.#elements[this.#next];
      const end = element.offset + element.length;
      const ofElement = bytes.subarray(this.#position - begin, end - begin);
      this.#position += ofElement.length;
      const report =
        element.part === null ? preambleReport(element, bytes) : await this.#part(element.part, ofElement);
      if (report === null) break;
      reports.push(report);
      this.#next++;
    }
    return reports;
  }

  /**
   * @param {NonNullable<Element["part"]>} element
   * @param {Bytes} bytes
   * @returns {Promise<ElementReport | null>} null where the part goes on after them
   */
  async #part({ tensor, part, ofModel }, bytes) {
    this.#partCheck ??= new PartCheck(tensor, part, ofModel);
    const check = this.#partCheck;
    if (!(await check.take(bytes))) return null;
    this.#partCheck = null;
    const { findings, damaged } = check;
    return { findings, damaged, code: damaged ? "hash" : "package" };
  }
}

/** @param {Element} element @param {Bytes} bytes @returns {ElementReport} */
function preambleReport({ preamble }, bytes) {
  const findings = preamble === null ? [] : [...checkPreamble(bytes, preamble)];
  return { findings, damaged: findings.length > 0, code: "package" };
}
