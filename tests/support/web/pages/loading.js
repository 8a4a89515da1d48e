// Loads a package without a GPU: on a device that computes nothing, and therefore with the variant that has no
// self-test.

const object = () => ({ destroy() {}, getCompilationInfo: async () => ({ messages: [] }) });

/** Returns a device whose buffers keep what is written into them; `waits` names functions that never answer. */
function idleDevice(buffers, waits = "") {
  const device = {
    features: new Set(),
    limits: {},
    adapterInfo: {},
    lost: new Promise(() => {}),
    queue: {
      writeBuffer() {},
      submit() {},
      onSubmittedWorkDone: async () => {},
    },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer({ label, size }) {
      const isShard = label?.startsWith("shard ");
      const data = isShard || label === "staging" ? new Uint8Array(size) : null;
      const mapping = { getMappedRange: () => data.buffer, unmap() {}, mapAsync: async () => {} };
      const buffer = { label, size, data, destroy() {}, ...mapping };
      if (isShard) buffers.push(buffer);
      return buffer;
    },
    createCommandEncoder: () => ({
      copyBufferToBuffer: (source, begin, target, offset, length) =>
        target.data.set(source.data.subarray(begin, begin + length), offset),
      finish: () => ({}),
    }),
    createShaderModule: object,
    createBindGroupLayout: object,
    createPipelineLayout: object,
    createBindGroup: object,
    createComputePipelineAsync: async () => object(),
    destroy() {},
  };
  if (waits in device) device[waits] = () => new Promise(() => {});
  return device;
}

/** Returns a platform with idle devices, whose function `waits` never answers, and which has no adapter at first. */
function idleGpu(waits, absent = 0) {
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    requestAdapter: async () => {
      asked++;
      if (waits === "requestAdapter") return new Promise(() => {});
      if (asked <= absent) return null;
      return {
        features: new Set(),
        info: {},
        requestDevice: () => (waits === "requestDevice" ? new Promise(() => {}) : idleDevice([], waits)),
      };
    },
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
 * @param {boolean} [ownFetch] whether a function of the page makes the requests
 */
window.loadPackage = async (bundle, url, { ownFetch = false, ...options } = {}) => {
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
  const asked = [];
  const own = (address, init) => {
    asked.push(address);
    return fetch(address, init);
  };
  if (ownFetch) options.fetch = own;
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
      asked,
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

/**
 * Aborts a load when a phase begins, while a function of the device never answers; returns what was seen.
 *
 * @param {string} bundle
 * @param {string} url
 * @param {string} phase
 * @param {string} waits
 */
window.abortedLoad = async (bundle, url, phase, waits) => {
  const { WebGPULlama4 } = await import(bundle);
  const stop = new AbortController();
  const reason = new Error("the caller changed its mind");
  let late = 0;
  const onProgress = (progress) => {
    if (stop.signal.aborted) late++;
    if (progress.phase === phase) setTimeout(() => stop.abort(reason), 50);
  };
  const options = {
    device: idleGpu(waits),
    variant: "portable",
    signal: stop.signal,
    onProgress,
    cache: false,
  };
  const error = await WebGPULlama4.loadModel(url, options).catch((error) => error);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { reason: error === reason, message: String(error.message), late };
};

/**
 * Loads on a platform that has no adapter at first; returns how often it was asked, and which error came.
 *
 * @param {string} bundle
 * @param {string} url
 * @param {number} absent number of requests without an adapter
 */
window.loadWithLateAdapter = async (bundle, url, absent) => {
  const { WebGPULlama4 } = await import(bundle);
  const gpu = idleGpu("", absent);
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  const phases = [];
  const onProgress = ({ phase }) => phases.push(phase);
  const options = { variant: "portable", cache: false, onProgress };
  const error = await WebGPULlama4.loadModel(url, options).then(
    (model) => model.dispose(),
    (error) => error,
  );
  const pauses = phases.filter((phase) => phase === "device").length - 1;
  return { asked: gpu.asked, code: error?.code ?? null, pauses };
};
