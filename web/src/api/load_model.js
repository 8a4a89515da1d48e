/** From an address to a model that answers. */

import { InputError } from "../errors.js";
import { readExecution } from "../gpu/execution.js";
import { Host } from "../gpu/executor.js";
import { openDevice } from "../gpu/open_device.js";
import { PackageCache } from "../net/cache.js";
import { HttpSource } from "../net/http_source.js";
import { Package } from "../net/package.js";
import { ProgressMeter } from "../net/progress.js";
import { Tokenizer } from "../text/tokenizer.js";
import { Model } from "./model.js";
import { optionsOf } from "./options.js";
import { Session } from "./session.js";

/** @typedef {import("../net/package.js").Source} Source */
/** @typedef {import("../net/progress.js").OnProgress} OnProgress */
/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal]
 * @property {OnProgress} [onProgress]
 * @property {boolean | CacheStorage} [cache] keep what was loaded for later; where the platform has storage, true
 *   unless told. Or the storage to keep it in
 * @property {GPUDevice | GPU} [device] a device to use, or the GPU object of a platform that has no navigator.gpu
 * @property {number} [contextLength] positions of the KV cache; at most the program's; 2048 unless told
 * @property {string} [variant] the only variant of the module that will do, for measurements
 * @property {import("../net/http_source.js").FetchOptions} [fetching] how files are fetched: requests at a time, attempts …
 * @property {Source} [source] where the files lie, in the place of the address
 */

const GENERATION = ["prefill", "last", "decode", "greedy", "sample"];

/**
 * Loads a package: its shards are verified as they come, and lie in buffers of the device as they are stored.
 *
 * @param {string | URL} url of its directory, its metadata.json or its .wgsl
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 * @throws {import("../errors.js").LLQError} of the class that tells the cause
 */
export async function loadModel(url, options) {
  const told = optionsOf(options);
  const { signal, onProgress, cache = true, device, contextLength, variant, fetching } = told;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError(`onProgress is a function, and not ${onProgress}`);
  }
  if (contextLength !== undefined && !(Number.isSafeInteger(contextLength) && contextLength >= 1)) {
    throw new InputError(`contextLength is a whole number from 1 on, and not ${contextLength}`);
  }
  const has = (/** @type {unknown} */ value, /** @type {string[]} */ ...names) =>
    typeof value === "object" && value !== null && names.some((name) => name in value);
  if (typeof cache !== "boolean" && !has(cache, "open"))
    throw new InputError(`cache is true, false or a CacheStorage`);
  if (device !== undefined && !has(device, "createBuffer", "requestAdapter")) {
    throw new InputError(`device is a GPUDevice or a GPU, and not ${device}`);
  }
  const meter = new ProgressMeter(onProgress);
  const directory = directoryOf(url);
  const kept = typeof cache === "object" ? new PackageCache(cache) : cache ? PackageCache.ofPlatform() : null;
  const network = (/** @type {number} */ bytes) => meter.network(bytes);
  const source = told.source ?? new HttpSource(directory, { cache: kept, onNetwork: network, ...fetching });

  meter.phase("metadata", "metadata.json");
  const raw = await source.metadata(signal);
  const opened = await Package.open({ ...methods(source), metadata: async () => raw });
  const { metadata } = opened;
  await kept?.putMetadata(directory, raw);
  meter.phase("program", "program.json");
  const { program, sections } = await readExecution(opened, signal);

  const given = device !== undefined && "createBuffer" in device ? device : undefined;
  const gpu = device !== undefined && "requestAdapter" in device ? device : undefined;
  /** @type {Promise<Tokenizer | null>} */
  let tokenizing = Promise.resolve(null);
  const make = async (/** @type {AbortSignal | undefined} */ stop) => {
    meter.phase("device");
    stop?.throwIfAborted();
    const open = await openDevice(program, sections, { gpu, device: given, variant });
    try {
      /** @type {Promise<void> | null} */
      let compiled = null;
      const compile = () => {
        if (compiled !== null) return;
        compiled = open.prepare(program.pipelines);
        compiled.catch(() => {}); // whoever awaits it is told
      };
      const wanted = opened.shardsOf(program).map((shard) => metadata.shards[shard]);
      meter.expect(wanted.reduce((sum, { byte_length }) => sum + byte_length, 0));
      meter.phase("weights", wanted[0]?.file);
      const { shards, invFreq } = await opened.upload(open, program, {
        signal: stop,
        onBytes: (file, bytes) => {
          compile(); // while more weights are on their way; not before there are any
          meter.weights(file, bytes);
        },
      });
      meter.phase("pipelines");
      compile();
      await compiled;
      const host = await open.scoped("buffers", () => {
        const made = new Host(program, open, { shards, context: contextLength });
        if (invFreq !== null) made.writeRope(invFreq);
        return made;
      });
      await host.prepare(GENERATION);
      await tokenizing; // where it cannot be read, nothing stays on the device
      stop?.throwIfAborted();
      return host;
    } catch (error) {
      if (given === undefined) open.destroy();
      throw error;
    }
  };
  const [host, tokenizer] = await together((stop) => {
    tokenizing = tokenizerOf(opened, stop);
    return [make(stop), tokenizing];
  }, signal);
  const again = async () => {
    meter.expect(0); // as at first: it is known when the device is there
    const made = await make(undefined);
    meter.phase("ready");
    return made;
  };
  const session = new Session(host, given === undefined ? again : null);
  try {
    meter.phase("ready");
  } catch (error) {
    session.dispose(); // the page's callback has thrown, so nobody gets the model
    throw error;
  }
  return new Model(session, metadata, tokenizer);
}

/**
 * Returns what two actions return; where one fails, the other is stopped and waited for, so that nothing goes on.
 *
 * @template A, B
 * @param {(stop: AbortSignal) => [Promise<A>, Promise<B>]} begin
 * @param {AbortSignal} [signal]
 * @returns {Promise<[A, B]>}
 */
async function together(begin, signal) {
  const failed = new AbortController();
  const both = begin(signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]));
  try {
    return await Promise.all(both);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(both);
    throw error;
  }
}

/**
 * Returns the package's tokenizer, null where it has none.
 *
 * @param {Package} opened
 * @param {AbortSignal} [signal]
 */
async function tokenizerOf(opened, signal) {
  const entry = opened.metadata.tokenizer;
  if (entry === undefined) return null;
  const text = new TextDecoder().decode(await opened.readFile(entry, signal));
  return Tokenizer.fromJson(text, {
    bosTokenId: entry.bos_token_id,
    eosTokenIds: entry.eos_token_ids,
    chatTemplate: entry.chat_template,
  });
}

/** @param {Source} source @returns {Source} */
function methods(source) {
  return {
    metadata: (signal) => source.metadata(signal),
    pieces: (entry, pieces, signal) => source.pieces(entry, pieces, signal),
    forget: async (entry, pieces) => source.forget?.(entry, pieces),
  };
}

/**
 * Returns the address of a package's directory, a slash at its end.
 *
 * @param {string | URL} url
 */
export function directoryOf(url) {
  /** @type {URL} */
  let found;
  try {
    found = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new InputError(`${url} is no address of a package`);
  }
  found.search = "";
  found.hash = "";
  if (/(\/metadata\.json|\.wgsl)$/.test(found.pathname)) found = new URL(".", found);
  if (!found.pathname.endsWith("/")) found.pathname += "/";
  return found.href;
}
