/**
 * Staging buffers, used in turns, through which many bytes go to a device. In Chromium the memory of `writeBuffer`
 * grows to the size of all that is written.
 */

import { USAGE } from "./buffer_usage.js";

/** @typedef {import("./device_memory.js").DeviceMemory} DeviceMemory */

/** Maximum length of a staging buffer, in bytes. */
const STAGING_BYTES = 8 << 20;
/** Maximum number of staging buffers: while one is filled, the device copies others. */
const BUFFERS = 3;

/** GPUMapMode.WRITE, which hosts outside browsers may not define. */
const WRITE = 2;

export class StagingRing {
  #device;
  #size;
  /** @type {GPUBuffer[]} */
  #buffers = [];
  /** @type {Promise<GPUBuffer>[]} buffers that are mapped again once the device has copied them, in their order */
  #free = [];

  /** @param {DeviceMemory} device @param {number} longest maximum number of bytes of one write */
  constructor(device, longest) {
    this.#device = device;
    this.#size = Math.min(STAGING_BYTES, longest);
  }

  /**
   * Writes bytes into a buffer, and waits for the device if it is slower.
   *
   * @param {GPUBuffer} target
   * @param {number} offset a multiple of 4
   * @param {Uint8Array} bytes whose number is a multiple of 4
   * @throws {import("../errors.js").DeviceError}
   */
  async write(target, offset, bytes) {
    const { gpu } = this.#device;
    for (let begin = 0; begin < bytes.length; begin += this.#size) {
      const part = bytes.subarray(begin, begin + this.#size);
      const staging = await this.#mapped();
      new Uint8Array(staging.getMappedRange()).set(part);
      staging.unmap();
      const encoder = gpu.createCommandEncoder({ label: "upload" });
      encoder.copyBufferToBuffer(staging, 0, target, offset + begin, part.length);
      gpu.queue.submit([encoder.finish()]);
      const free = staging.mapAsync(WRITE).then(() => staging);
      free.catch(() => {}); // a loss is thrown where the buffer is used again
      this.#free.push(free);
    }
    this.#device.check();
  }

  /** Lets the staging buffers go. What was written is copied nevertheless. */
  destroy() {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  /** @returns {Promise<GPUBuffer>} a buffer that can be filled */
  async #mapped() {
    if (this.#buffers.length < BUFFERS) {
      const buffer = await this.#made();
      this.#buffers.push(buffer);
      return buffer;
    }
    try {
      return await /** @type {Promise<GPUBuffer>} */ (this.#free.shift());
    } catch (cause) {
      await this.#device.lossReport();
      throw this.#device.failure("a staging buffer cannot be mapped", cause);
    }
  }

  async #made() {
    const { gpu } = this.#device;
    const what = `a staging buffer of ${this.#size} bytes`;
    const usage = USAGE.COPY_SRC | USAGE.MAP_WRITE;
    try {
      return await this.#device.scoped(what, () =>
        gpu.createBuffer({ label: "staging", size: this.#size, usage, mappedAtCreation: true }),
      );
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw this.#device.failure(`${what}: not enough memory`, cause, "out-of-memory");
    }
  }
}
