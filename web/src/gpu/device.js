/** A device of WebGPU within its default limits, and the compute pipelines of one variant of the module. */

import { DeviceError, DeviceLostError } from "../errors.js";
import { SLOT_BYTES } from "./program.js";
import { shaderSource } from "./shader.js";

/** @typedef {import("./program.js").Access} Access */
/** @typedef {import("./program.js").Variant} Variant */
/** @typedef {import("../package/module.js").Section} Section */

/** GPUShaderStage.COMPUTE, which hosts outside browsers may not define. */
const COMPUTE = 4;

/** How long the report of a loss may come after the failures that it causes, in ms. */
const LOSS_REPORT_MS = 500;

/** A device and its pipelines; programs of the same module may share it. */
export class Device {
  /** @type {Map<string, GPUBindGroupLayout>} */
  #layouts = new Map();
  /** @type {Map<string, Promise<GPUComputePipeline>>} */
  #pipelines = new Map();
  #shader;
  #closing;

  /**
   * Use `openDevice`, which chooses the variant.
   *
   * @param {GPUDevice} gpu
   * @param {Variant} variant
   * @param {ReadonlyMap<string, Section>} sections
   * @param {GPUAdapterInfo | undefined} info
   */
  constructor(gpu, variant, sections, info) {
    this.gpu = gpu;
    this.variant = variant;
    this.info = info;
    /** @type {GPUDeviceLostInfo | null} why the device went away, null while it is there */
    this.lost = null;
    /** @type {GPUError | null} the first error since the last check that no scope has caught, perhaps of others */
    this.error = null;
    /** Number of errors that no scope has caught: what was computed before one of them may be missing. */
    this.errors = 0;
    gpu.lost.then((loss) => {
      this.lost = loss;
    });
    this.#closing = new AbortController();
    const onError = (/** @type {GPUUncapturedErrorEvent} */ event) => {
      this.error ??= event.error;
      this.errors++;
    };
    gpu.addEventListener("uncapturederror", onError, { signal: this.#closing.signal });
    this.#shader = gpu.createShaderModule({
      label: `llq ${variant.name}`,
      code: shaderSource(sections, variant),
    });
    this.parametersLayout = gpu.createBindGroupLayout({
      label: "parameters",
      entries: [{ binding: 0, visibility: COMPUTE, buffer: { type: "uniform" } }],
    });
  }

  /** The name that the adapter gives itself. */
  get name() {
    return adapterName(this.info);
  }

  /** Returns the errors of the shader compiler. */
  async compilationErrors() {
    const { messages } = await this.#shader.getCompilationInfo();
    return messages
      .filter(({ type }) => type === "error")
      .map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  }

  /**
   * Returns the layout of group 0 for storage bindings of these accesses.
   *
   * @param {readonly Access[]} access
   */
  bindingsLayout(access) {
    const key = access.join(" ");
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      layout = this.gpu.createBindGroupLayout({
        label: key,
        entries: access.map((kind, binding) => ({
          binding,
          visibility: COMPUTE,
          buffer: { type: kind === "read" ? "read-only-storage" : "storage" },
        })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /**
   * Begins to compile the pipelines of entry points, and returns when all are there.
   *
   * @param {ReadonlyMap<string, readonly Access[]>} pipelines
   * @throws {DeviceError} `shader`
   */
  async prepare(pipelines) {
    await Promise.all(Array.from(pipelines, ([entryPoint, access]) => this.pipeline(entryPoint, access)));
  }

  /**
   * Returns the pipeline of an entry point.
   *
   * @param {string} entryPoint
   * @param {readonly Access[]} access
   * @returns {Promise<GPUComputePipeline>}
   */
  pipeline(entryPoint, access) {
    let pipeline = this.#pipelines.get(entryPoint);
    if (pipeline === undefined) {
      const layout = this.gpu.createPipelineLayout({
        label: entryPoint,
        bindGroupLayouts: [this.bindingsLayout(access), this.parametersLayout],
      });
      pipeline = this.gpu
        .createComputePipelineAsync({
          label: entryPoint,
          layout,
          compute: { module: this.#shader, entryPoint },
        })
        .catch((cause) => {
          throw this.failure(`entry point ${entryPoint} does not compile`, cause, "shader");
        });
      pipeline.catch(() => {}); // its error is thrown where it is awaited
      this.#pipelines.set(entryPoint, pipeline);
    }
    return pipeline;
  }

  /**
   * Returns the pipeline of a kernel that belongs to the executor, compiled at its first use.
   *
   * @param {string} entryPoint which has the same name as the kernel
   * @param {string} code
   * @returns {Promise<GPUComputePipeline>}
   */
  kernel(entryPoint, code) {
    const key = `kernel ${entryPoint}`;
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      const module = this.gpu.createShaderModule({ label: key, code });
      const compute = { module, entryPoint };
      pipeline = this.gpu
        .createComputePipelineAsync({ label: key, layout: "auto", compute })
        .catch((cause) => {
          throw this.failure(`${key} does not compile`, cause, "shader");
        });
      pipeline.catch(() => {}); // its error is thrown where it is awaited
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /**
   * Returns the bind group of a slot of a parameter arena.
   *
   * @param {number} slot
   * @param {GPUBuffer} arena
   */
  parameters(slot, arena) {
    return this.gpu.createBindGroup({
      label: `parameters ${slot}`,
      layout: this.parametersLayout,
      entries: [{ binding: 0, resource: { buffer: arena, offset: slot * SLOT_BYTES, size: SLOT_BYTES } }],
    });
  }

  /**
   * Runs an action that makes objects of the device, and fails if the device reports an error. The scopes are
   * closed before anything is awaited: others may open scopes of their own on the same device.
   *
   * @template T
   * @param {string} what description for messages
   * @param {() => T} action
   * @returns {Promise<T>}
   * @throws {DeviceError | DeviceLostError}
   */
  async scoped(what, action) {
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("out-of-memory");
    let result, thrown;
    try {
      result = action();
    } catch (cause) {
      thrown = cause;
    }
    const scopes = [this.gpu.popErrorScope(), this.gpu.popErrorScope()];
    const [memory, validation] = await Promise.all(scopes.map((scope) => scope.catch(() => null)));
    if (this.lost !== null) throw this.failure(what, thrown);
    if (memory !== null) throw this.failure(`${what}: not enough memory`, memory, "out-of-memory");
    if (thrown !== undefined) throw thrown;
    if (validation !== null) throw this.failure(what, validation);
    return /** @type {T} */ (result);
  }

  /**
   * Waits until a loss would have been reported: work fails before the loss that it is due to is reported.
   */
  async lossReport() {
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_REPORT_MS))]);
  }

  /** Forgets an error that came before: it says nothing of what follows. */
  begin() {
    this.error = null;
  }

  /** Throws if the device was lost, or if an error came that nothing has caught. It is thrown once. */
  check() {
    if (this.lost !== null) throw this.failure("work is not done");
    if (this.error === null) return;
    const { error } = this;
    this.error = null;
    throw this.failure("an error of the device", error);
  }

  /**
   * Returns the error of a failure: a DeviceLostError if the device is lost.
   *
   * @param {string} what
   * @param {unknown} [cause]
   * @param {string} [code]
   * @returns {Error}
   */
  failure(what, cause, code = "device") {
    if (this.lost !== null) {
      return new DeviceLostError(
        `${this.name}: the device was lost (${this.lost.message || this.lost.reason})`,
        { cause },
      );
    }
    if (cause instanceof DeviceError) return cause;
    const reason =
      cause !== null && typeof cause === "object" && "message" in cause ? `: ${cause.message}` : "";
    return new DeviceError(`${this.name}: ${what}${reason}`, { code, cause });
  }

  /** Ends the use of a device that others may use further. */
  close() {
    this.#closing.abort();
    this.#layouts.clear();
    this.#pipelines.clear();
  }

  /** Lets the device go. */
  destroy() {
    this.close();
    this.gpu.destroy();
  }
}

/**
 * Returns the name that an adapter gives itself.
 *
 * @param {GPUAdapterInfo | undefined} info
 */
export function adapterName(info) {
  const { description, device, vendor, architecture } = info ?? {};
  return description || device || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU device";
}

/**
 * Returns whether an adapter computes on the CPU, as far as it is known.
 *
 * @param {GPUAdapterInfo | undefined} info
 */
export function isSoftware(info) {
  const names = `${adapterName(info)} ${info?.architecture ?? ""}`;
  return info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(names);
}
