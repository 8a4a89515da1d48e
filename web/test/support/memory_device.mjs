// A device that only holds buffers: what arrives in them can be compared.

/**
 * @typedef {{label: string | undefined, size: number, data: Uint8Array, destroyed: boolean, destroy: () =>
 *   void}} MemoryBuffer
 */
/** @typedef {import("../../src/gpu/upload.js").DeviceMemory & {buffers: MemoryBuffer[]}} MemoryDevice */

/** @returns {MemoryDevice} */
export function memoryDevice() {
  /** @type {MemoryBuffer[]} */
  const buffers = [];
  /** @param {GPUBuffer} buffer */
  const memoryOf = (buffer) => /** @type {MemoryBuffer} */ (/** @type {unknown} */ (buffer));
  return {
    gpu: {
      queue: {
        writeBuffer(buffer, offset, data) {
          memoryOf(buffer).data.set(/** @type {Uint8Array} */ (data), offset);
        },
        submit: () => undefined,
        onSubmittedWorkDone: async () => undefined,
      },
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
        };
        buffers.push(buffer);
        return /** @type {GPUBuffer} */ (/** @type {unknown} */ (buffer));
      },
    },
    buffers,
    check: () => {},
    scoped: async (_description, action) => action(),
  };
}
