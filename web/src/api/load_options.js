/** The options of `loadModel` (spec: Runtime API). */

import { InputError } from "../errors.js";
import { FETCH_OPTIONS } from "../net/http_source.js";
import { directoryOf, endpointsOf, REQUEST_OPTIONS } from "./addresses.js";
import { checkCount, checkNames, optionsOf } from "./options.js";

/** @typedef {import("../net/http_source.js").FetchOptions} FetchOptions */
/** @typedef {import("../net/progress.js").OnProgress} OnProgress */
/** @typedef {import("../net/endpoint.js").Endpoint} Endpoint */
/** @typedef {import("../net/source.js").Source} Source */
/** @typedef {import("./addresses.js").RequestOptions} RequestOptions */
/** @typedef {string | URL | readonly (string | URL)[]} PackageAddress of a package, or of its mirrors in order */
/**
 * @typedef {object} OwnLoadOptions
 * @property {AbortSignal} [signal]
 * @property {OnProgress} [onProgress]
 * @property {boolean | CacheStorage} [cache] whether to store what was loaded, true by default, or the
 *   storage to use
 * @property {GPUDevice | GPU} [device] a device to use, or the GPU object of a platform that has no
 *   navigator.gpu
 * @property {number} [contextLength] positions of the KV cache; at most the program's; 2048 by default
 * @property {number} [maxSessions] maximum number of sessions at the same time; 8 by default
 * @property {string} [variant] the only variant of the module that may be used, for measurements
 * @property {FetchOptions} [fetching] how files are fetched: requests at a time, attempts …
 * @property {Source} [source] files of the package, in place of the address
 */
/** @typedef {OwnLoadOptions & RequestOptions} LoadOptions */
/**
 * @typedef {object} LoadSettings options, checked
 * @property {Endpoint[]} endpoints directories of the package: what one does not send comes from the next
 * @property {AbortSignal | undefined} signal
 * @property {OnProgress | undefined} onProgress
 * @property {boolean | CacheStorage} cache
 * @property {import("../gpu/open_device.js").DeviceChoice} choice
 * @property {number | undefined} contextLength
 * @property {number | undefined} maxSessions
 * @property {FetchOptions | undefined} fetching
 * @property {Source | undefined} source
 */

/** The names of all options. @satisfies {readonly (keyof LoadOptions)[]} */
const LOAD_OPTIONS = [
  "signal",
  "onProgress",
  "cache",
  "device",
  "contextLength",
  "maxSessions",
  "variant",
  "fetching",
  "source",
  ...REQUEST_OPTIONS,
];

/**
 * Checks options.
 *
 * @param {PackageAddress} url of the package's directory, its metadata.json or its .wgsl
 * @param {LoadOptions} [options]
 * @returns {LoadSettings}
 * @throws {InputError}
 */
export function loadSettings(url, options) {
  const checked = optionsOf(options, LOAD_OPTIONS);
  const { signal, onProgress, cache = true, device, contextLength, maxSessions } = checked;
  const { variant, fetching, source } = checked;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError(`onProgress is ${onProgress}, expected a function`);
  }
  checkCount(contextLength, "contextLength", 1);
  checkCount(maxSessions, "maxSessions", 0);
  checkNames(fetching ?? {}, FETCH_OPTIONS);
  if (typeof cache !== "boolean" && !hasMember(cache, "open")) {
    throw new InputError(`cache is ${cache}, expected true, false or a CacheStorage`);
  }
  const addresses = Array.isArray(url) ? url : [url];
  if (addresses.length === 0) throw new InputError("the list of addresses is empty: expected at least one");
  return {
    endpoints: endpointsOf(addresses.map(directoryOf), checked),
    signal,
    onProgress,
    cache,
    choice: { ...deviceOf(device), variant },
    contextLength,
    maxSessions,
    fetching,
    source,
  };
}

/** @param {GPUDevice | GPU | undefined} device @returns {{gpu?: GPU, device?: GPUDevice}} */
function deviceOf(device) {
  if (device === undefined) return {};
  if (hasMember(device, "createBuffer")) return { device: /** @type {GPUDevice} */ (device) };
  if (hasMember(device, "requestAdapter")) return { gpu: /** @type {GPU} */ (device) };
  throw new InputError(`device is ${device}, expected a GPUDevice or a GPU`);
}

/** @param {unknown} value @param {string} name */
function hasMember(value, name) {
  return typeof value === "object" && value !== null && name in value;
}
