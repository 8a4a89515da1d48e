/** A package: its metadata, checked, and its files, each checked as it is read. */

import { DeviceError, PackageError } from "../errors.js";
import { settle } from "../package/findings.js";
import { readMetadata } from "../package/metadata.js";
import { sha256 } from "../package/sha256.js";
import { ShardCheck } from "../package/shard_check.js";
import { piecesOf } from "./source.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../package/shard_check.js").Element} Element */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Source} Source */
/**
 * @typedef {object} ShardPiece
 * @property {number} offset
 * @property {Bytes} bytes
 * @property {number} fresh the number of them that had not come before
 */

/** How often a file or a part is fetched again that did not arrive as it was written. */
const RETRIES = 1;

export class Package {
  /** @param {Source} source @param {Metadata} metadata */
  constructor(source, metadata) {
    this.source = source;
    this.metadata = metadata;
  }

  /**
   * Opens the package of a source.
   *
   * @param {Source} source
   * @param {AbortSignal} [signal]
   */
  static async open(source, signal) {
    return new Package(source, await readMetadata(await source.metadata(signal)));
  }

  /**
   * Returns the bytes of a file, whose hash is right (LLQ-HASH-2).
   *
   * @param {FileEntry} entry
   * @param {AbortSignal} [signal]
   * @returns {Promise<Bytes>}
   */
  async readFile(entry, signal) {
    const pieces = piecesOf(entry.byte_length);
    for (let retries = 0; ; retries++) {
      const data = new Uint8Array(entry.byte_length);
      let end = 0;
      for await (const bytes of this.source.pieces(entry, pieces, signal)) {
        data.set(bytes, end);
        end += bytes.length;
      }
      const digest = await sha256(data);
      if (digest === entry.sha256) return data;
      await this.source.forget?.(entry, pieces);
      if (retries === RETRIES) {
        throw new PackageError(`the SHA-256 of ${entry.file} is ${digest}, expected ${entry.sha256}`, {
          rule: "LLQ-HASH-2",
          code: "hash",
        });
      }
    }
  }

  /**
   * Yields a shard in pieces, in order. Each was checked as far as its parts are complete; when all have
   * come, all parts
   * were. Pieces of a part that arrives damaged are yielded again.
   *
   * @param {number} index of the shard
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<ShardPiece, void, void>}
   */
  async *shardPieces(index, signal) {
    const entry = this.metadata.shards[index];
    const pieces = piecesOf(entry.byte_length);
    const check = new ShardCheck(this.metadata, index);
    let retries = 0;
    let arrived = 0;

    /**
     * @param {Bytes} bytes
     * @param {number} offset
     * @returns {Promise<Element | null>} what has to be fetched again
     */
    const damagedElement = async (bytes, offset) => {
      for await (const element of check.take(bytes, offset)) {
        if (!element.damaged || retries === RETRIES) settle(element.findings, element.code);
        if (element.damaged) return element;
        retries = 0;
      }
      return null;
    };

    while (check.position < entry.byte_length) {
      const remaining = pieces.filter(({ offset, length }) => offset + length > check.position);
      let offset = remaining[0].offset;
      /** @type {Element | null} */
      let damaged = null;
      for await (const bytes of this.source.pieces(entry, remaining, signal)) {
        signal?.throwIfAborted();
        damaged = await damagedElement(bytes, offset);
        if (damaged !== null) break;
        const end = offset + bytes.length;
        yield { offset, bytes, fresh: Math.max(0, end - arrived) };
        arrived = Math.max(arrived, end);
        offset = end;
      }
      if (damaged !== null) {
        const { offset: begin, length } = damaged;
        check.rewind(damaged);
        retries++;
        const overlapping = pieces.filter(
          (piece) => piece.offset + piece.length > begin && piece.offset < begin + length,
        );
        await this.source.forget?.(entry, overlapping);
      } else if (check.position < entry.byte_length) {
        throw new DeviceError(`${entry.file}: the source ended at byte ${check.position}`);
      }
    }
  }
}
