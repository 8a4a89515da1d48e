/** From a package to an executor that can generate: a device, weights on it, pipelines. */

import { Executor } from "./executor.js";
import { openDevice } from "./open_device.js";
import { shardsOf, upload } from "./upload.js";

/** @typedef {import("../net/package.js").Package} Package */
/** @typedef {import("../net/progress.js").ProgressMeter} ProgressMeter */
/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("./execution.js").Execution} Execution */
/** @typedef {import("./open_device.js").DeviceChoice} DeviceChoice */
/**
 * @typedef {{choice: DeviceChoice, contextLength: number | undefined, meter: ProgressMeter}} ExecutorOptions
 */

/** Passes that generation runs. */
const GENERATION = ["prefill", "last", "decode", "greedy", "sample"];

/** Loads executors of one package, in phases: device, weights, pipelines, buffers. */
export class ExecutorLoader {
  #opened;
  #execution;
  #choice;
  #contextLength;
  #meter;

  /** @param {Package} opened @param {Execution} execution @param {ExecutorOptions} options */
  constructor(opened, execution, { choice, contextLength, meter }) {
    this.#opened = opened;
    this.#execution = execution;
    this.#choice = choice;
    this.#contextLength = contextLength;
    this.#meter = meter;
  }

  /** Whether each executor has a device of its own, which is destroyed with it. */
  get ownsDevices() {
    return this.#choice.device === undefined;
  }

  /**
   * Loads an executor. Where that fails, nothing stays on the device.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<Executor>}
   */
  async load(signal) {
    const device = await this.#openDevice(signal);
    /** @type {Executor | null} */
    let executor = null;
    try {
      signal?.throwIfAborted();
      executor = await this.#makeExecutor(device); // first: where it does not fit, nothing is fetched
      const pipelines = new PipelineCompilation(device, this.#execution.program.pipelines);
      const { shards, invFreq } = await this.#uploadWeights(device, pipelines, signal);
      executor.useShards(shards);
      if (invFreq !== null) executor.writeRope(invFreq);
      await this.#compilePipelines(pipelines);
      await executor.prepare(GENERATION);
      signal?.throwIfAborted();
      return executor;
    } catch (error) {
      executor?.dispose({ shards: true });
      this.#close(device);
      throw error;
    }
  }

  /** Ends the use of a device. @param {Device} device */
  #close(device) {
    if (this.ownsDevices) device.destroy();
    else device.close();
  }

  /** Frees an executor, its shards and, unless it was given, its device. @param {Executor} executor */
  release(executor) {
    executor.dispose({ shards: true });
    this.#close(executor.device);
  }

  /** @param {AbortSignal} [signal] */
  async #openDevice(signal) {
    const onPause = () => this.#meter.phase("device");
    onPause();
    signal?.throwIfAborted();
    return openDevice(this.#execution.program, this.#execution.sections, { ...this.#choice, onPause });
  }

  /**
   * @param {Device} device
   * @param {PipelineCompilation} pipelines
   * @param {AbortSignal} [signal]
   */
  #uploadWeights(device, pipelines, signal) {
    const { program } = this.#execution;
    const { metadata } = this.#opened;
    const entries = shardsOf(metadata, program).map((index) => metadata.shards[index]);
    this.#meter.expect(entries.reduce((sum, { byte_length: bytes }) => sum + bytes, 0));
    this.#meter.phase("weights", entries[0]?.file);
    return upload(this.#opened, device, program, {
      signal,
      onBytes: (file, bytes, cached) => {
        pipelines.start(); // while more weights are on their way; not before there are any
        this.#meter.weights(file, bytes, cached);
      },
    });
  }

  /** @param {PipelineCompilation} pipelines */
  async #compilePipelines(pipelines) {
    this.#meter.phase("pipelines");
    await pipelines.end();
  }

  /** Makes an executor with its buffers, except those of shards. @param {Device} device */
  async #makeExecutor(device) {
    const { program } = this.#execution;
    const executor = new Executor(program, device, { context: this.#contextLength });
    try {
      await device.scoped("buffers", () => executor.allocate(GENERATION));
    } catch (error) {
      executor.dispose();
      throw error;
    }
    return executor;
  }
}

/** The compilation of all pipelines, which begins once. */
class PipelineCompilation {
  #device;
  #pipelines;
  /** @type {Promise<void> | null} */
  #compiled = null;

  /** @param {Device} device @param {import("./program.js").Program["pipelines"]} pipelines */
  constructor(device, pipelines) {
    this.#device = device;
    this.#pipelines = pipelines;
  }

  start() {
    if (this.#compiled !== null) return;
    this.#compiled = this.#device.prepare(this.#pipelines);
    this.#compiled.catch(() => {}); // its error is thrown where it is awaited
  }

  /** Waits until all are compiled. */
  async end() {
    this.start();
    await this.#compiled;
  }
}
