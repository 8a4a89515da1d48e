/** From an address to a model that answers. */

import { readExecution } from "../gpu/execution.js";
import { checkContext } from "../gpu/executor.js";
import { ExecutorLoader } from "../gpu/executor_loader.js";
import { PackageCache } from "../net/cache.js";
import { CacheStore } from "../net/cache_store.js";
import { MirroredSource } from "../net/mirrored_source.js";
import { Package } from "../net/package.js";
import { ProgressMeter } from "../net/progress.js";
import { WorkerPool } from "../net/worker_pool.js";
import { packageTokenizer, tokenizerText } from "../text/package_tokenizer.js";
import { loadSettings } from "./load_options.js";
import { Model } from "./model.js";
import { Sequence } from "./sequence.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("../net/source.js").Source} Source */
/** @typedef {import("./load_options.js").LoadOptions} LoadOptions */
/** @typedef {import("./load_options.js").LoadSettings} LoadSettings */

/**
 * Loads a package: its shards are verified as they come, and are in buffers of the device as they are stored.
 *
 * @param {import("./load_options.js").PackageAddress} url of its directory, its metadata.json or its .wgsl, or of
 *   several mirrors, in order
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 * @throws {import("../errors.js").LLQError} of the class of the cause
 */
export async function loadModel(url, options) {
  const settings = loadSettings(url, options);
  const { signal } = settings;
  signal?.throwIfAborted();
  const loading = new ModelLoader(settings, async (opened, stop) =>
    packageTokenizer(opened.metadata, await tokenizerText(opened, stop), stop),
  ).load();
  try {
    const { sequence, metadata, tokenizer } = await unlessAborted(loading, signal);
    return new Model(sequence, metadata, tokenizer, settings.maxSessions);
  } catch (error) {
    loading.then(({ sequence }) => sequence.dispose()).catch(() => {}); // it was complete when it was aborted
    throw error;
  }
}

/**
 * Loads a model in phases: metadata, program, then the executor (device, weights, pipelines) and the
 * tokenizer.
 *
 * @template T of what it reads of the tokenizer
 */
export class ModelLoader {
  #settings;
  #readTokenizer;
  #meter;
  #pool = new WorkerPool();
  /** Ends when all that came is stored. @type {Promise<void>} */
  stored = Promise.resolve();

  /** @param {LoadSettings} settings @param {(opened: Package, signal: AbortSignal) => Promise<T>} readTokenizer */
  constructor(settings, readTokenizer) {
    this.#settings = settings;
    this.#readTokenizer = readTokenizer;
    const { signal, onProgress } = settings;
    this.#meter = new ProgressMeter((progress) => {
      if (!signal?.aborted) onProgress?.(progress);
    });
  }

  /** @returns {Promise<{sequence: Sequence, metadata: Package["metadata"], tokenizer: T}>} */
  async load() {
    /** @type {Package | null} */
    let opened = null;
    try {
      opened = await this.#readMetadata();
      const loaded = await this.#loadParts(opened);
      this.#endLater(opened.complete());
      return loaded;
    } catch (error) {
      this.#endLater(opened?.stored()); // the next load goes on there
      throw error;
    }
  }

  /** @param {Package} opened */
  async #loadParts(opened) {
    const { choice, contextLength } = this.#settings;
    if (contextLength !== undefined) checkContext(contextLength, longestContext(opened.metadata));
    const execution = await this.#readProgram(opened);
    if (contextLength !== undefined) checkContext(contextLength, execution.program.contextLength);
    const executors = new ExecutorLoader(opened, execution, { choice, contextLength, meter: this.#meter });
    const { executor, tokenizer } = await this.#together(opened, executors);
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
    return { sequence, metadata: opened.metadata, tokenizer };
  }

  async #readMetadata() {
    const { endpoints, signal } = this.#settings;
    signal?.throwIfAborted();
    this.#meter.phase("metadata", "metadata.json");
    const cache = await this.#cache();
    const isPrivate = endpoints.some((endpoint) => endpoint.isPrivate);
    const cached = cache && { cache, url: endpoints[0].url, isPrivate };
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
    const { source, endpoints, fetching } = this.#settings;
    const onNetwork = (/** @type {number} */ bytes) => this.#meter.network(bytes);
    return source ?? new MirroredSource(endpoints, { onNetwork, ...fetching });
  }

  /** Ends the workers after what they still store; the caller does not wait. @param {Promise<void>} [storing] */
  #endLater(storing = Promise.resolve()) {
    this.stored = storing.catch(() => {}).then(() => this.#pool.close());
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
   * @returns {Promise<{executor: Executor, tokenizer: T}>}
   */
  async #together(opened, executors) {
    const { signal } = this.#settings;
    const failure = new AbortController();
    const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
    const loadingExecutor = executors.load(stop);
    const loadingTokenizer = this.#readTokenizer(opened, stop);
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
