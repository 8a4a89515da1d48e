/** The buffers of a program, which are made when they are first used (spec: Execution program). */

import { DeviceError } from "../errors.js";
import { STORAGE, USAGE } from "./buffer_usage.js";
import { bufferBytes } from "./program.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("./program.js").Program} Program */

/** Buffers by name. */
export class ProgramBuffers {
  #program;
  #device;
  #context;
  /** @type {Map<string, GPUBuffer>} */
  #buffers = new Map();

  /** @param {Program} program @param {Device} device @param {number} context positions */
  constructor(program, device, context) {
    this.#program = program;
    this.#device = device;
    this.#context = context;
  }

  /** Returns a buffer. @param {string} name */
  get(name) {
    let buffer = this.#buffers.get(name);
    if (buffer === undefined) {
      const planned = this.#program.buffers.get(name);
      if (planned === undefined) throw new DeviceError(`the program has no buffer ${name}`);
      const size = bufferBytes(planned, this.#context);
      buffer = this.#device.gpu.createBuffer({ label: name, size, usage: STORAGE });
      this.#buffers.set(name, buffer);
    }
    return buffer;
  }

  /** Writes the tables of RoPE. @param {Float32Array} invFreq */
  writeRope(invFreq) {
    const table = new Float32Array(2 * this.#context * invFreq.length);
    let at = 0;
    for (let position = 0; position < this.#context; position++) {
      for (const frequency of invFreq) {
        const angle = position * frequency; // binary64, rounded once when it is stored
        table[at++] = Math.cos(angle);
        table[at++] = Math.sin(angle);
      }
    }
    for (const [name, planned] of this.#program.buffers) {
      if (planned.init === "rope") this.write(name, table);
    }
  }

  /**
   * @param {string} name
   * @param {Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>} data
   */
  write(name, data) {
    this.#device.gpu.queue.writeBuffer(this.get(name), 0, data);
  }

  /** @param {string} name @param {number} bytes @returns {Promise<ArrayBuffer>} */
  async read(name, bytes) {
    const { gpu } = this.#device;
    const staging = gpu.createBuffer({
      label: `read ${name}`,
      size: bytes,
      usage: USAGE.MAP_READ | USAGE.COPY_DST,
    });
    const encoder = gpu.createCommandEncoder({ label: `read ${name}` });
    encoder.copyBufferToBuffer(this.get(name), 0, staging, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(1);
      const data = staging.getMappedRange().slice(0);
      this.#device.check();
      return data;
    } catch (cause) {
      throw this.#device.failure(`reading ${name}`, cause);
    } finally {
      staging.destroy();
    }
  }

  /** Fills all buffers that are there with the content of those of the same program and context. @param {ProgramBuffers} source */
  copy(source) {
    const encoder = this.#device.gpu.createCommandEncoder({ label: "fork" });
    for (const [name, buffer] of this.#buffers) {
      encoder.copyBufferToBuffer(source.get(name), 0, buffer, 0, buffer.size);
    }
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  /** @returns {Record<string, number>} bytes by purpose */
  memory() {
    /** @type {Record<string, number>} */
    const bytes = {};
    for (const [name, buffer] of this.#buffers) {
      const purpose = this.#program.buffers.get(name)?.purpose ?? "activation";
      bytes[purpose] = (bytes[purpose] ?? 0) + buffer.size;
    }
    return bytes;
  }

  /** Frees all buffers. */
  destroy() {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}
