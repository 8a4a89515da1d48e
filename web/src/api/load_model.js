/** From an address to a model that answers. */

import { readExecution } from "../gpu/execution.js";
import { checkContext } from "../gpu/executor.js";
import { ExecutorLoader } from "../gpu/executor_loader.js";
import { PackageCache } from "../net/cache.js";
import { CacheStore } from "../net/cache_store.js";
import { HttpSource } from "../net/http_source.js";
import { Package } from "../net/package.js";
import { ProgressMeter } from "../net/progress.js";
import { WorkerPool } from "../net/worker_pool.js";
import { packageTokenizer } from "../text/package_tokenizer.js";
import { loadSettings } from "./load_options.js";
import { Model } from "./model.js";
import { Sequence } from "./sequence.js";
import { unlessAborted } from "./unless_aborted.js";

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
  const settings = loadSettings(url, options);
  const { signal } = settings;
  signal?.throwIfAborted();
  const loading = new ModelLoader(settings).load();
  try {
    return await unlessAborted(loading, signal);
  } catch (error) {
    loading.then((model) => model.dispose()).catch(() => {}); // it was complete when it was aborted
    throw error;
  }
}

/**
 * Loads a model in phases: metadata, program, then the executor (device, weights, pipelines) and the
 * tokenizer.
 */
class ModelLoader {
  #settings;
  #meter;
  #pool = new WorkerPool();

  /** @param {LoadSettings} settings */
  constructor(settings) {
    this.#settings = settings;
    const { signal, onProgress } = settings;
    this.#meter = new ProgressMeter((progress) => {
      if (!signal?.aborted) onProgress?.(progress);
    });
  }

  async load() {
    /** @type {Package | null} */
    let opened = null;
    try {
      opened = await this.#readMetadata();
      const model = await this.#loadModel(opened);
      this.#endLater(opened.complete());
      return model;
    } catch (error) {
      this.#endLater(opened?.stored()); // the next load goes on there
      throw error;
    }
  }

  /** @param {Package} opened */
  async #loadModel(opened) {
    const { choice, contextLength, maxSessions } = this.#settings;
    if (contextLength !== undefined) checkContext(contextLength, longestContext(opened.metadata));
    const execution = await this.#readProgram(opened);
    if (contextLength !== undefined) checkContext(contextLength, execution.program.contextLength);
    const executors = new ExecutorLoader(opened, execution, { choice, contextLength, meter: this.#meter });
    const { executor, tokenizer } = await this.#loadParts(opened, executors);
    const reload = () => this.#reload(opened, executors);
    const sequence = new Sequence(executor, {
      makeExecutor: executors.ownsDevices ? reload : null,
      release: (executor) => executors.release(executor),
      exact: true,
    });
    try {
      this.#meter.phase("ready");
    } catch (error) {
      sequence.dispose(); // the page's callback has thrown: nobody gets the model
      throw error;
    }
    return new Model(sequence, opened.metadata, tokenizer, maxSessions);
  }

  async #readMetadata() {
    const { directory, signal } = this.#settings;
    signal?.throwIfAborted();
    this.#meter.phase("metadata", "metadata.json");
    const cache = await this.#cache();
    const cached = cache && { cache, url: directory };
    return Package.open(this.#source(), { signal, cached, pool: this.#pool });
  }

  /** @returns {Promise<PackageCache | null>} */
  async #cache() {
    const { cache } = this.#settings;
    if (typeof cache === "object") return new PackageCache(new CacheStore(cache));
    return cache ? PackageCache.ofPlatform(this.#pool) : null;
  }

  /** @returns {Source} */
  #source() {
    const { source, directory, fetching } = this.#settings;
    const onNetwork = (/** @type {number} */ bytes) => this.#meter.network(bytes);
    return source ?? new HttpSource(directory, { onNetwork, ...fetching });
  }

  /** Ends the workers after what they still store; the caller does not wait. @param {Promise<void>} [storing] */
  #endLater(storing = Promise.resolve()) {
    storing.catch(() => {}).then(() => this.#pool.close());
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

  /** Loads an executor on another device, after a loss. @param {Package} opened @param {ExecutorLoader} executors */
  async #reload(opened, executors) {
    this.#meter.expect(0); // as at first: it is known when the device is there
    try {
      const executor = await executors.load();
      this.#meter.phase("ready");
      return executor;
    } finally {
      this.#endLater(opened.stored());
    }
  }
}

/** Returns the largest context that a program of the package may have. @param {Package["metadata"]} metadata */
function longestContext({ model }) {
  return model?.context_length ?? Number.MAX_SAFE_INTEGER; // without a model, there is no program either
}
