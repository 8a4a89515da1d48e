/** From an address to a model that answers. */

import { readExecution } from "../gpu/execution.js";
import { ExecutorLoader } from "../gpu/executor_loader.js";
import { HttpSource } from "../net/http_source.js";
import { Package } from "../net/package.js";
import { ProgressMeter } from "../net/progress.js";
import { packageTokenizer } from "../text/package_tokenizer.js";
import { loadSettings } from "./load_options.js";
import { Model } from "./model.js";
import { Session } from "./session.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("../net/source.js").Source} Source */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
/** @typedef {import("./load_options.js").LoadOptions} LoadOptions */
/** @typedef {import("./load_options.js").LoadSettings} LoadSettings */

/**
 * Loads a package: its shards are verified as they come, and are in buffers of the device as they are stored.
 *
 * @param {string | URL} url of its directory, its metadata.json or its .wgsl
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 * @throws {import("../errors.js").LLQError} of the class of the cause
 */
export async function loadModel(url, options) {
  return new ModelLoader(loadSettings(url, options)).load();
}

/**
 * Loads a model in phases: metadata, program, then the executor (device, weights, pipelines) and the
 * tokenizer.
 */
class ModelLoader {
  #settings;
  #meter;

  /** @param {LoadSettings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#meter = new ProgressMeter(settings.onProgress);
  }

  async load() {
    const { choice, contextLength } = this.#settings;
    const opened = await this.#readMetadata();
    const execution = await this.#readProgram(opened);
    const executors = new ExecutorLoader(opened, execution, { choice, contextLength, meter: this.#meter });
    const { executor, tokenizer } = await this.#loadParts(opened, executors);
    const session = new Session(executor, executors.ownsDevices ? () => this.#reload(executors) : null);
    try {
      this.#meter.phase("ready");
    } catch (error) {
      session.dispose(); // the page's callback has thrown: nobody gets the model
      throw error;
    }
    return new Model(session, opened.metadata, tokenizer);
  }

  async #readMetadata() {
    const { directory, cache, signal } = this.#settings;
    this.#meter.phase("metadata", "metadata.json");
    const source = this.#source();
    const bytes = await source.metadata(signal);
    const opened = await Package.open({
      metadata: async () => bytes,
      pieces: (entry, pieces, stop) => source.pieces(entry, pieces, stop),
      forget: async (entry, pieces) => source.forget?.(entry, pieces),
    });
    await cache?.putMetadata(directory, bytes);
    return opened;
  }

  /** @returns {Source} */
  #source() {
    const { source, directory, cache, fetching } = this.#settings;
    const onNetwork = (/** @type {number} */ bytes) => this.#meter.network(bytes);
    return source ?? new HttpSource(directory, { cache, onNetwork, ...fetching });
  }

  /** @param {Package} opened */
  #readProgram(opened) {
    this.#meter.phase("program", "program.json");
    return readExecution(opened, this.#settings.signal);
  }

  /**
   * Loads the executor and the tokenizer at the same time. Where one fails, the other is stopped and
   * released: nothing
   * goes on, and nothing stays on the device.
   *
   * @param {Package} opened
   * @param {ExecutorLoader} executors
   * @returns {Promise<{executor: Executor, tokenizer: Tokenizer | null}>}
   */
  async #loadParts(opened, executors) {
    const { signal } = this.#settings;
    const failure = new AbortController();
    const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
    const loadingExecutor = executors.load(stop);
    const loadingTokenizer = packageTokenizer(opened, stop);
    try {
      const [executor, tokenizer] = await Promise.all([loadingExecutor, loadingTokenizer]);
      signal?.throwIfAborted();
      return { executor, tokenizer };
    } catch (error) {
      failure.abort();
      const [outcome] = await Promise.allSettled([loadingExecutor, loadingTokenizer]);
      if (outcome.status === "fulfilled") executors.release(outcome.value);
      throw error;
    }
  }

  /** Loads an executor on another device, after a loss. @param {ExecutorLoader} executors */
  async #reload(executors) {
    this.#meter.expect(0); // as at first: it is known when the device is there
    const executor = await executors.load();
    this.#meter.phase("ready");
    return executor;
  }
}
