/** The options of `loadModel` (spec: Runtime API). */

import { InputError } from "../errors.js";
import { FETCH_OPTIONS } from "../net/http_source.js";
import { absoluteUrl, checkCount, checkNames, optionsOf } from "./options.js";

/** @typedef {import("../net/http_source.js").FetchOptions} FetchOptions */
/** @typedef {import("../net/progress.js").OnProgress} OnProgress */
/** @typedef {import("../net/source.js").Source} Source */
/**
 * @typedef {object} LoadOptions
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
/**
 * @typedef {object} LoadSettings options, checked
 * @property {string} directory address of the package, with a slash at its end
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
];

/**
 * Checks options.
 *
 * @param {string | URL} url of the package's directory, its metadata.json or its .wgsl
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
  return {
    directory: directoryOf(url),
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

/**
 * Returns the address of a package's directory, a slash at its end.
 *
 * @param {string | URL} url of the directory, its metadata.json or its .wgsl
 * @throws {InputError}
 */
export function directoryOf(url) {
  let address = absoluteUrl(url, "a package");
  address.search = "";
  address.hash = "";
  if (/(\/metadata\.json|\.wgsl)$/.test(address.pathname)) address = new URL(".", address);
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return address.href;
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
