// A device that holds buffers and does nothing else: what arrives in them can be looked at.

export function memoryDevice() {
  const buffers = [];
  const queue = {
    writeBuffer: (buffer, offset, data) => buffer.data.set(data, offset),
    submit: () => {},
    onSubmittedWorkDone: async () => {},
  };
  const gpu = {
    queue,
    createBuffer({ label, size }) {
      const buffer = {
        label,
        size,
        data: new Uint8Array(size),
        destroy: () => (buffer.destroyed = true),
        destroyed: false,
      };
      buffers.push(buffer);
      return buffer;
    },
  };
  return { gpu, buffers, lost: null, check: () => {}, scoped: async (_what, action) => action() };
}
