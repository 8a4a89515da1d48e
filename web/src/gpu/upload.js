/** The shards of a package in buffers of a device, as they are stored. */

import { measured } from "../package/stages.js";
import { STORAGE } from "./buffer_usage.js";
import { StagingRing } from "./staging_ring.js";

/** @typedef {import("../net/package.js").Package} Package */
/** @typedef {import("../net/shard_reader.js").OnBytes} OnBytes */
/** @typedef {import("../net/shard_reader.js").ShardPiece} ShardPiece */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../package/metadata_types.js").Part} Part */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./device_memory.js").DeviceMemory} DeviceMemory */
/**
 * @typedef {{shards: GPUBuffer[], invFreq: Float32Array<ArrayBuffer> | null}} Weights shards by index, with
 *   holes
 */

/** The tensor that the CPU needs too: it fills the tables of RoPE. */
const FREQUENCIES = "rope.inv_freq";

/**
 * Returns the indices of the shards that a program needs, in order.
 *
 * @param {Metadata} metadata
 * @param {Pick<Program, "weights" | "buffers">} program
 */
export function shardsOf(metadata, program) {
  const indices = new Set(Array.from(program.weights.values(), ({ shard }) => shard));
  if ([...program.buffers.values()].some(({ init }) => init === "rope")) {
    for (const { shard } of frequenciesOf(metadata)) indices.add(shard);
  }
  return [...indices].sort((a, b) => a - b);
}

/**
 * Uploads the shards that a program needs, as they come; returns when all of their parts were checked.
 *
 * @param {Package} opened
 * @param {DeviceMemory} device
 * @param {Pick<Program, "weights" | "buffers">} program
 * @param {{signal?: AbortSignal, onBytes?: OnBytes}} [options]
 * @returns {Promise<Weights>}
 */
export async function upload(opened, device, program, { signal, onBytes } = {}) {
  const { metadata } = opened;
  const frequencies = new TensorValues(frequenciesOf(metadata));
  const indices = shardsOf(metadata, program);
  /** @type {GPUBuffer[]} */
  const shards = [];
  const longest = Math.max(...indices.map((index) => metadata.shards[index].byte_length));
  const staging = new StagingRing(device, longest);
  try {
    for (const index of indices) shards[index] = await shardBuffer(metadata, index, device); // before any is fetched
    for await (const piece of opened.shardPieces(indices, { signal, onBytes })) {
      frequencies.take(piece.shard, piece);
      await measured("upload", () => staging.write(shards[piece.shard], piece.offset, piece.bytes));
    }
    device.check();
  } catch (error) {
    for (const buffer of shards) buffer?.destroy();
    throw error;
  } finally {
    staging.destroy();
  }
  return { shards, invFreq: frequencies.values };
}

/** @param {Metadata} metadata @param {number} index of the shard @param {DeviceMemory} device */
function shardBuffer({ shards }, index, device) {
  const { file, byte_length: size } = shards[index];
  return device.scoped(`a buffer of ${size} bytes for ${file}`, () =>
    device.gpu.createBuffer({ label: `shard ${index}`, size, usage: STORAGE }),
  );
}

/** The values of a small tensor of binary32, gathered as the pieces of its shards come by. */
class TensorValues {
  #parts;
  #bytes;
  #missing = true;

  /** @param {readonly Part[]} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#bytes = new Uint8Array(parts.reduce((sum, part) => sum + 4 * part.num_rows, 0));
  }

  /** @param {number} shard @param {ShardPiece} piece */
  take(shard, { offset, bytes }) {
    for (const part of this.#parts) {
      if (part.shard !== shard) continue;
      const begin = part.offset - offset; // of the part in these bytes
      const ofPart = bytes.subarray(Math.max(0, begin), Math.max(0, begin + 4 * part.num_rows));
      if (ofPart.length === 0) continue;
      this.#bytes.set(ofPart, 4 * part.first_row + Math.max(0, -begin));
      this.#missing = false;
    }
  }

  /** The values, null where their shards were not uploaded. */
  get values() {
    return this.#missing ? null : new Float32Array(this.#bytes.buffer);
  }
}

/**
 * @param {Metadata} metadata
 * @returns {readonly Part[]} the parts of the frequencies of RoPE, where a model has them
 */
function frequenciesOf({ model, tensors }) {
  if (model === undefined) return [];
  return tensors.find(({ name }) => name === FREQUENCIES)?.parts ?? [];
}
