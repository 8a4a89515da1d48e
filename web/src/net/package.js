/** From where a package lies into buffers of a device: every byte is checked, and none is kept. */

import { DeviceError, PackageError } from "../errors.js";
import { STORAGE } from "../gpu/executor.js";
import { settle } from "../package/findings.js";
import { PREAMBLE_BYTES } from "../package/layout.js";
import { METADATA_NAME, readMetadata } from "../package/metadata.js";
import { checkPreamble, PartCheck } from "../package/part_check.js";
import { sha256 } from "../package/sha256.js";

/** @typedef {import("../gpu/device.js").Device} Device */
/** @typedef {import("../package/metadata.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata.js").Metadata} Metadata */
/** @typedef {import("../gpu/program.js").Program} Program */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{offset: number, length: number}} Piece bytes of a file */
/**
 * @typedef {object} Source where the files of a package lie
 * @property {(signal?: AbortSignal) => Promise<Bytes>} metadata reads metadata.json
 * @property {(entry: FileEntry, pieces: Piece[], signal?: AbortSignal) => AsyncIterable<Bytes>} pieces yields pieces of
 *   a file, each whole, in their order
 * @property {(entry: FileEntry, pieces: Piece[]) => Promise<void>} [forget] drops what is kept of a file that was damaged
 */
/**
 * @callback OnBytes
 * @param {string} file
 * @param {number} bytes that arrived and were checked
 */

/** Shards come in pieces of so many bytes. */
export const PIECE_BYTES = 8 << 20;

/** So many bytes may be on their way to the device before the host waits for it. */
const UPLOADING_BYTES = 64 << 20;

/** How often a part is fetched anew that did not arrive as it was written. */
const REPEATS = 1;

/** A package: its metadata, checked, and its files. */
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
    for (let tries = 0; ; tries++) {
      const data = new Uint8Array(entry.byte_length);
      const pieces = cut(entry.byte_length);
      let at = 0;
      for await (const bytes of this.source.pieces(entry, pieces, signal)) {
        data.set(bytes, at);
        at += bytes.length;
      }
      if ((await sha256(data)) === entry.sha256) return data;
      await this.source.forget?.(entry, pieces);
      if (tries === REPEATS) {
        throw new PackageError(`${entry.file} is not what ${METADATA_NAME} says: its SHA-256 is another`, {
          rule: "LLQ-HASH-2",
          code: "hash",
        });
      }
    }
  }

  /**
   * Returns the indices of the shards that a program needs, in order.
   *
   * @param {Program} program
   */
  shardsOf(program) {
    const wanted = new Set(Array.from(program.weights.values(), ({ shard }) => shard));
    const table = this.metadata.tensors.find(({ name }) => name === "rope.inv_freq");
    const rope = [...program.buffers.values()].some(({ init }) => init === "rope");
    if (rope && table !== undefined) wanted.add(table.parts[0].shard);
    return [...wanted].sort((a, b) => a - b);
  }

  /**
   * Uploads the shards that a program names, as they come; returns when all of their parts were checked.
   *
   * @param {Device} device
   * @param {Program} program
   * @param {{signal?: AbortSignal, onBytes?: OnBytes}} [options]
   * @returns {Promise<{shards: GPUBuffer[], invFreq: Float32Array | null}>} shards by index, with holes
   */
  async upload(device, program, { signal, onBytes } = {}) {
    /** @type {GPUBuffer[]} */
    const shards = [];
    let invFreq = null;
    try {
      for (const shard of this.shardsOf(program)) {
        const entry = this.metadata.shards[shard];
        shards[shard] = await device.scoped(`a buffer of ${entry.byte_length} bytes for ${entry.file}`, () =>
          device.gpu.createBuffer({ label: `shard ${shard}`, size: entry.byte_length, usage: STORAGE }),
        );
        const found = await this.#uploadShard(device, shard, shards[shard], { signal, onBytes });
        invFreq ??= found;
      }
      device.check();
    } catch (error) {
      for (const buffer of shards) buffer?.destroy();
      throw error;
    }
    return { shards, invFreq };
  }

  /**
   * @param {Device} device
   * @param {number} index
   * @param {GPUBuffer} buffer
   * @param {{signal?: AbortSignal, onBytes?: OnBytes}} options
   * @returns {Promise<Float32Array | null>} the frequencies of RoPE, where this shard holds them
   */
  async #uploadShard(device, index, buffer, { signal, onBytes }) {
    const { queue } = device.gpu;
    const entry = this.metadata.shards[index];
    const parts = this.#parts(index);
    let invFreq = null;
    let waiting = 0;
    const pieces = cut(entry.byte_length);
    let at = 0;
    let next = 0;
    let tries = 0;
    let counted = 0;
    /** @type {PartCheck | null} */
    let check = null;
    while (at < entry.byte_length) {
      const from = pieces.findIndex(({ offset, length }) => offset + length > at);
      let begin = pieces[from].offset;
      let again = false;
      for await (const piece of this.source.pieces(entry, pieces.slice(from), signal)) {
        signal?.throwIfAborted();
        queue.writeBuffer(buffer, begin, piece);
        waiting += piece.length;
        const end = begin + piece.length;
        if (at === 0) {
          const of = {
            index,
            count: this.metadata.shards.length,
            byteLength: entry.byte_length,
            file: entry.file,
          };
          const wrong = [...checkPreamble(piece, of)];
          again = wrong.length > 0 && tries < REPEATS;
          if (again) break;
          settle(wrong);
          at = PREAMBLE_BYTES;
          tries = 0;
        }
        while (at < end && !again) {
          const { tensor, part } = parts[next];
          check ??= new PartCheck(tensor, part, this.metadata.model !== undefined);
          const bytes = piece.subarray(at - begin, Math.min(end, part.offset + part.byte_length) - begin);
          at += bytes.length;
          if (!(await check.take(bytes))) continue;
          if (check.damaged && tries < REPEATS) {
            again = true;
            at = part.offset;
          } else {
            check.settle();
            if (tensor.name === "rope.inv_freq")
              invFreq = new Float32Array(bytes.slice(0, 4 * part.num_rows).buffer);
            next++;
            tries = 0;
          }
          check = null;
        }
        if (again) break;
        begin = end;
        if (end > counted) {
          onBytes?.(entry.file, end - counted);
          counted = end;
        }
        if (waiting >= UPLOADING_BYTES) {
          queue.submit([]); // lets the driver take what is staged
          await queue.onSubmittedWorkDone();
          waiting = 0;
          device.check();
        }
      }
      if (again) {
        tries++;
        await this.source.forget?.(
          entry,
          pieces.filter(({ offset, length }) => {
            const { part } = parts[next];
            return offset + length > part.offset && offset < part.offset + part.byte_length;
          }),
        );
      } else if (at < entry.byte_length) {
        throw new DeviceError(`${entry.file}: the source ended at byte ${at}`);
      }
    }
    return invFreq;
  }

  /** @param {number} shard the parts of a shard, in the order in which they lie there */
  #parts(shard) {
    return this.metadata.tensors
      .flatMap((tensor) => tensor.parts.map((part) => ({ tensor, part })))
      .filter(({ part }) => part.shard === shard)
      .sort((a, b) => a.part.offset - b.part.offset);
  }
}

/** @param {number} length @returns {Piece[]} the pieces of a file of so many bytes */
function cut(length) {
  return Array.from({ length: Math.ceil(length / PIECE_BYTES) }, (_, i) => ({
    offset: i * PIECE_BYTES,
    length: Math.min(PIECE_BYTES, length - i * PIECE_BYTES),
  }));
}
