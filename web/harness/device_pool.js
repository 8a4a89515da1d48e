/**
 * Devices that are used again. A question opens a device and destroys it; software adapters then compile every
 * kernel again, and their memory grows with each device. Therefore a destroyed device goes back to the pool, with
 * the modules, layouts and pipelines that were made on it. They are immutable, and equal ones are made once.
 *
 * @module harness/device_pool
 */

/** @typedef {{device: GPUDevice, made: Map<string, unknown>, names: Map<unknown, number>, lost: boolean}} Pooled */
/** @typedef {(event: any) => void} Listener */

/** @type {WeakMap<GPU, DevicePool>} */
const pools = new WeakMap();

/** Returns the pool of a platform. @param {GPU} gpu */
export function poolOf(gpu) {
  let pool = pools.get(gpu);
  if (pool === undefined) {
    pool = new DevicePool(gpu);
    pools.set(gpu, pool);
  }
  return pool;
}

class DevicePool {
  #gpu;
  /** @type {Map<string, Pooled[]>} devices that nobody uses, by their features and limits */
  #idle = new Map();
  /** Number of devices that were opened. */
  opened = 0;

  /** @param {GPU} gpu */
  constructor(gpu) {
    this.#gpu = gpu;
  }

  /**
   * Returns a GPU object whose devices come from the pool.
   *
   * @param {GPUDevice[]} devices gets the real device for each one that is opened: destroying it loses the device
   * @returns {GPU}
   */
  gpu(devices) {
    const gpu = this.#gpu;
    const pooled = {
      get wgslLanguageFeatures() {
        return gpu.wgslLanguageFeatures;
      },
      getPreferredCanvasFormat: () => gpu.getPreferredCanvasFormat(),
      requestAdapter: async (/** @type {GPURequestAdapterOptions} */ options) => {
        const adapter = await gpu.requestAdapter(options);
        if (adapter === null) return null;
        return {
          features: adapter.features,
          limits: adapter.limits,
          info: adapter.info,
          requestDevice: async (/** @type {GPUDeviceDescriptor} */ descriptor = {}) => {
            const opened = await this.#device(adapter, descriptor);
            devices.push(opened.device);
            return this.#handle(opened, keyOf(descriptor));
          },
        };
      },
    };
    return /** @type {GPU} */ (/** @type {unknown} */ (pooled));
  }

  /** @param {GPUAdapter} adapter @param {GPUDeviceDescriptor} descriptor @returns {Promise<Pooled>} */
  async #device(adapter, descriptor) {
    const idle = this.#idle.get(keyOf(descriptor)) ?? [];
    for (let pooled = idle.pop(); pooled !== undefined; pooled = idle.pop()) if (!pooled.lost) return pooled;
    const device = await adapter.requestDevice(descriptor);
    this.opened++;
    /** @type {Pooled} */
    const pooled = { device, made: new Map(), names: new Map(), lost: false };
    device.lost.then(() => {
      pooled.lost = true;
    });
    return pooled;
  }

  /**
   * Returns a device for one user. Destroying it destroys its buffers, and gives the device back.
   *
   * @param {Pooled} pooled
   * @param {string} key
   * @returns {GPUDevice}
   */
  #handle(pooled, key) {
    const { device } = pooled;
    /** @type {Set<GPUBuffer | GPUQuerySet>} */
    const resources = new Set();
    /** @type {[string, Listener][]} */
    const listeners = [];
    let destroyed = false;
    /** @type {(info: object) => void} */
    let lose = () => {};
    const destroying = new Promise((resolve) => {
      lose = resolve;
    });
    const owned = (/** @type {GPUBuffer | GPUQuerySet} */ resource) => {
      if (destroyed) resource.destroy();
      else resources.add(resource);
      return resource;
    };
    /** @type {Record<string, unknown>} */
    const changed = {
      lost: Promise.race([device.lost, destroying]),
      createBuffer: (/** @type {GPUBufferDescriptor} */ descriptor) => owned(device.createBuffer(descriptor)),
      createQuerySet: (/** @type {GPUQuerySetDescriptor} */ descriptor) =>
        owned(device.createQuerySet(descriptor)),
      addEventListener: (/** @type {string} */ type, /** @type {Listener} */ listener) => {
        listeners.push([type, listener]);
        device.addEventListener(type, listener);
      },
      destroy: () => {
        if (destroyed) return;
        destroyed = true;
        for (const resource of resources) resource.destroy();
        for (const [type, listener] of listeners) device.removeEventListener(type, listener);
        lose({ reason: "destroyed", message: "the device was destroyed" });
        const idle = this.#idle.get(key) ?? [];
        this.#idle.set(key, [...idle, pooled]);
      },
      ...sharedMakers(pooled),
    };
    return new Proxy(device, {
      get(target, name) {
        if (typeof name === "string" && Object.hasOwn(changed, name)) return changed[name];
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

/** Returns a text that is equal for devices with the same features and limits. @param {GPUDeviceDescriptor} descriptor */
function keyOf({ requiredFeatures = [], requiredLimits = {} }) {
  return JSON.stringify([[...requiredFeatures].sort(), requiredLimits]);
}

/**
 * Returns the functions of a device that make immutable objects: equal ones are made once.
 *
 * @param {Pooled} pooled
 */
function sharedMakers({ device, made, names }) {
  /** Returns a text for a descriptor, in which objects of the device have numbers. */
  const keyed = (/** @type {string} */ maker, /** @type {object} */ descriptor) =>
    `${maker} ${JSON.stringify(descriptor, (_, value) => names.get(value) ?? value)}`;
  /** @template T @param {string} key @param {() => T} make @returns {T} */
  const once = (key, make) => {
    const known = /** @type {T | undefined} */ (made.get(key));
    if (known !== undefined) return known;
    const object = make();
    made.set(key, object);
    names.set(object, names.size + 1);
    return object;
  };
  return {
    createShaderModule: (/** @type {GPUShaderModuleDescriptor} */ descriptor) => {
      const key = keyed("module", descriptor);
      const module = once(key, () => device.createShaderModule(descriptor));
      module.getCompilationInfo().then(({ messages }) => {
        // one that does not compile reports this to each who makes it
        if (messages.some(({ type }) => type === "error")) made.delete(key);
      });
      return module;
    },
    createBindGroupLayout: (/** @type {GPUBindGroupLayoutDescriptor} */ descriptor) =>
      once(keyed("bindings", descriptor), () => device.createBindGroupLayout(descriptor)),
    createPipelineLayout: (/** @type {GPUPipelineLayoutDescriptor} */ descriptor) =>
      once(keyed("layout", descriptor), () => device.createPipelineLayout(descriptor)),
    createComputePipelineAsync: (/** @type {GPUComputePipelineDescriptor} */ descriptor) => {
      const key = keyed("pipeline", descriptor);
      const pipeline = once(key, () => device.createComputePipelineAsync(descriptor));
      pipeline.catch(() => made.delete(key));
      return pipeline;
    },
  };
}
