// A device that only holds buffers: what arrives in them can be compared.

import { disguised } from "./disguise.mjs";

/**
 * @typedef {{label: string | undefined, size: number, data: Uint8Array, destroyed: boolean, destroy: () =>
 *   void, getMappedRange: () => ArrayBufferLike, unmap: () => void, mapAsync: () => Promise<void>}} MemoryBuffer
 */
/** @typedef {import("../../src/gpu/device_memory.js").DeviceMemory & {buffers: MemoryBuffer[]}} MemoryDevice */

/** @returns {MemoryDevice} whose `buffers` are those that stay */
export function memoryDevice() {
  /** @type {MemoryBuffer[]} */
  const buffers = [];
  /** @param {GPUBuffer} buffer */
  const memoryOf = (buffer) => /** @type {MemoryBuffer} */ (/** @type {unknown} */ (buffer));
  return {
    gpu: {
      queue: {
        submit: () => undefined,
      },
      createCommandEncoder: () =>
        disguised({
          /**
           * @param {GPUBuffer} source
           * @param {number} begin
           * @param {GPUBuffer} target
           * @param {number} offset
           * @param {number} length
           */
          copyBufferToBuffer(source, begin, target, offset, length) {
            memoryOf(target).data.set(memoryOf(source).data.subarray(begin, begin + length), offset);
          },
          finish: () => ({}),
        }),
      createBuffer({ label, size }) {
        /** @type {MemoryBuffer} */
        const buffer = {
          label,
          size,
          data: new Uint8Array(size),
          destroyed: false,
          destroy() {
            buffer.destroyed = true;
          },
          getMappedRange: () => buffer.data.buffer,
          unmap: () => undefined,
          mapAsync: async () => undefined,
        };
        if (label !== "staging") buffers.push(buffer);
        return /** @type {GPUBuffer} */ (/** @type {unknown} */ (buffer));
      },
    },
    buffers,
    check: () => {},
    failure: (what) => new Error(what),
    lossReport: async () => undefined,
    scoped: async (_description, action) => action(),
  };
}
