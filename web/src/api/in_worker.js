/** From an address to a model in a worker (spec: Runtime API, section Workers). */

import { InputError } from "../errors.js";
import { packageTokenizer } from "../text/package_tokenizer.js";
import { loadSettings } from "./load_options.js";
import { Model } from "./model.js";
import { unlessAborted } from "./unless_aborted.js";
import { WorkerConnection } from "./worker_connection.js";
import { WorkerSequence } from "./worker_sequence.js";

/** @typedef {import("../net/progress.js").Progress} Progress */
/** @typedef {import("./load_options.js").LoadOptions} LoadOptions */
/** @typedef {import("./load_options.js").LoadSettings} LoadSettings */

/** Options whose values stay in their thread. */
const BOUND = /** @type {const} */ (["fetch", "device", "source"]);

/**
 * Loads a package in a worker of its own: the worker fetches and computes, and the page has the text.
 *
 * @param {import("./load_options.js").PackageAddress} url as for loadModel
 * @param {LoadOptions} [options] as for loadModel, except what cannot be passed to a worker
 * @returns {Promise<Model>}
 * @throws {import("../errors.js").LLQError} of the class of the cause
 */
export async function inWorker(url, options) {
  const settings = loadSettings(url, options);
  const input = inputOf(settings, options ?? {});
  const { signal } = settings;
  signal?.throwIfAborted();
  const progress = new HeldProgress(settings);
  const connection = new WorkerConnection((report) => progress.take(report));
  try {
    await unlessAborted(connection.started(), signal);
    const { metadata, tokenizer: text, state } = await connection.call("load", input, signal);
    const tokenizer = await packageTokenizer(metadata, text, signal);
    signal?.throwIfAborted();
    progress.release();
    return new Model(new WorkerSequence(connection, state), metadata, tokenizer, settings.maxSessions);
  } catch (error) {
    progress.end();
    const end = () => connection.end(error);
    connection.call("dispose", {}).then(end, end); // the next load goes on with what the worker has stored
    throw error;
  }
}

/**
 * Returns what a worker needs.
 *
 * @param {LoadSettings} settings
 * @param {LoadOptions} options as the caller passed them
 * @throws {InputError} for what cannot be passed
 */
function inputOf({ endpoints, cache, choice, contextLength, fetching }, options) {
  const bound = BOUND.find((name) => options[name] !== undefined);
  const name =
    bound ??
    (typeof cache === "object" ? "cache" : undefined) ??
    (fetching?.onNetwork && "fetching.onNetwork");
  if (name !== undefined) {
    throw new InputError(
      `option ${name} cannot be passed to a worker: use loadModel, or leave the option out`,
    );
  }
  const addresses = endpoints.map(
    ({ address }) => /** @type {import("../net/endpoint.js").Address} */ (address),
  );
  return {
    addresses,
    cache: /** @type {boolean} */ (cache),
    variant: choice.variant,
    contextLength,
    fetching,
  };
}

/** The progress of a worker. Its `ready` waits until the page is ready, too. */
class HeldProgress {
  #settings;
  /** @type {Progress | null} */
  #ready = null;
  #isLoading = true;
  #hasFailed = false;

  /** @param {LoadSettings} settings */
  constructor(settings) {
    this.#settings = settings;
  }

  /** @param {Progress} progress */
  take(progress) {
    const { signal, onProgress } = this.#settings;
    if (this.#hasFailed || signal?.aborted) return;
    if (this.#isLoading && progress.phase === "ready") this.#ready = progress;
    else onProgress?.(progress);
  }

  /** Reports that the model is ready. */
  release() {
    this.#isLoading = false;
    if (this.#ready !== null) this.take(this.#ready);
  }

  /** Reports nothing more. */
  end() {
    this.#hasFailed = true;
  }
}
