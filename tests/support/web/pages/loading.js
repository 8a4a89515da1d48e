// Loads a package without a GPU: on a device that computes nothing, and therefore with the variant that has no
// self-test.

const object = () => ({ destroy() {}, getCompilationInfo: async () => ({ messages: [] }) });

/** Returns a device whose buffers keep what is written into them. */
function idleDevice(buffers) {
  return {
    features: new Set(),
    limits: {},
    adapterInfo: {},
    lost: new Promise(() => {}),
    queue: {
      writeBuffer: (buffer, offset, bytes) => buffer.data?.set(bytes, offset),
      submit() {},
      onSubmittedWorkDone: async () => {},
    },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer({ label, size }) {
      const isShard = label?.startsWith("shard ");
      const buffer = { label, size, data: isShard ? new Uint8Array(size) : null, destroy() {} };
      if (isShard) buffers.push(buffer);
      return buffer;
    },
    createShaderModule: object,
    createBindGroupLayout: object,
    createPipelineLayout: object,
    createBindGroup: object,
    createComputePipelineAsync: async () => object(),
    destroy() {},
  };
}

const hex = (buffer) =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Loads, waits until the cache is complete, and returns what was seen.
 *
 * @param {string} bundle
 * @param {string} url
 * @param {object} [options]
 */
window.loadPackage = async (bundle, url, options = {}) => {
  const { WebGPULlama4 } = await import(bundle);
  const workers = [];
  const Platform = window.Worker;
  window.Worker = class extends Platform {
    constructor(...words) {
      super(...words);
      workers.push(this);
    }
  };
  const stored = new Promise((resolve) => {
    new PerformanceObserver((list, observer) => {
      if (!list.getEntriesByName("webgpu-llama4 storing").length) return;
      observer.disconnect();
      resolve();
    }).observe({ type: "measure" });
  });
  const cached = [];
  const buffers = [];
  const onProgress = (progress) => {
    if (progress.phase === "weights" && progress.loaded > 0) cached.push(progress.cached);
  };
  try {
    const device = idleDevice(buffers);
    const model = await WebGPULlama4.loadModel(url, { device, variant: "portable", onProgress, ...options });
    await stored;
    model.dispose();
    const hashes = await Promise.all(buffers.map(({ data }) => crypto.subtle.digest("SHA-256", data)));
    return {
      cached,
      workers: workers.length,
      hashes: hashes.map(hex),
      stored: await WebGPULlama4.cache.list(),
    };
  } catch (error) {
    return { code: error.code ?? error.name, rule: error.rule ?? null, message: error.message };
  } finally {
    window.Worker = Platform;
  }
};
