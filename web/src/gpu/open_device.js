/** From a program to a device: which adapter, which variant of the module. */

import { DeviceError, UnsupportedError } from "../errors.js";
import { Device } from "./device.js";
import { computesRightly } from "./self_test.js";

/** @typedef {import("../package/module.js").Section} Section */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./program.js").Variant} Variant */

/** Times after which a platform without an adapter is asked again, in ms: its GPU process may be starting. */
const ADAPTER_PAUSES_MS = [100, 300, 600];

/**
 * Returns the most powerful adapter of a platform.
 *
 * @param {GPU | undefined} gpu
 * @param {() => void} [onPause] called before the platform is asked again
 * @returns {Promise<GPUAdapter>}
 * @throws {UnsupportedError} `no-webgpu`, `no-adapter`
 */
export async function requestAdapter(gpu, onPause = () => {}) {
  if (gpu === undefined) {
    throw new UnsupportedError(
      "WebGPU is not available: use a recent browser, and a page from https: or localhost",
      { code: "no-webgpu" },
    );
  }
  for (const pause of [...ADAPTER_PAUSES_MS, null]) {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (adapter) return adapter;
    if (pause === null) break;
    onPause();
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new UnsupportedError(
    "this machine has no WebGPU adapter: there is no GPU, or the browser blocks its driver",
    { code: "no-adapter" },
  );
}

/**
 * @typedef {object} DeviceChoice
 * @property {GPU} [gpu] navigator.gpu by default
 * @property {GPUDevice} [device] a device that is open
 * @property {string} [variant] name of the only variant that may be used
 * @property {() => void} [onPause] called before a platform without an adapter is asked again
 */
/** @typedef {{device: GPUDevice, info: GPUAdapterInfo | undefined}} OpenDevice */

/**
 * Returns a device for a program: with the last variant whose features it has, whose source it compiles, and
 * which
 * passes the self-test. The first variant is the reference of the others: where it fails too, the kernels are
 * not those
 * that the test is for, and it is used.
 *
 * @param {Program} program
 * @param {ReadonlyMap<string, Section>} sections
 * @param {DeviceChoice} [choice]
 * @returns {Promise<Device>}
 * @throws {UnsupportedError | DeviceError} `no-webgpu`, `no-adapter`, `no-device`, `no-variant`, `shader`,
 *   `wrong`
 */
export async function openDevice(program, sections, { gpu, device, variant, onPause } = {}) {
  const platform = gpu ?? globalThis.navigator?.gpu;
  const language = platform?.wgslLanguageFeatures ?? new Set();
  const candidates = program.variants.filter(({ name }) => variant === undefined || name === variant);
  let compilationError = "";
  let wrongVariant = "";
  for (const candidate of candidates.toReversed()) {
    if (!candidate.language.every((feature) => language.has(feature))) continue;
    const open =
      device === undefined ? await newDevice(platform, candidate, onPause) : sameDevice(device, candidate);
    if (open === null) continue;
    const { compiled, errors } = await compile(open, candidate, sections);
    if (errors.length > 0) compilationError ||= ` (${candidate.name}: ${errors[0]})`;
    else if (candidate === program.variants[0] || (await computesRightly(compiled, sections)))
      return compiled;
    else wrongVariant ||= candidate.name;
    if (device === undefined) compiled.destroy();
    else compiled.close();
  }
  if (wrongVariant !== "") {
    throw new DeviceError(
      `this device computes wrongly with variant ${wrongVariant}; its driver may need an update`,
      { code: "wrong" },
    );
  }
  if (compilationError !== "") {
    throw new DeviceError(`no variant of the module compiles on this device${compilationError}`, {
      code: "shader",
      rule: "LLQ-WGSL-5",
    });
  }
  throw new UnsupportedError("this device lacks features that every variant of the program requires", {
    code: "no-variant",
  });
}

/**
 * @param {Variant} variant
 * @param {{features: ReadonlySet<string>}} device whether it has the features of the variant
 */
function supports({ features }, device) {
  return features.every((feature) => device.features.has(feature));
}

/**
 * @param {GPUDevice} device
 * @param {Variant} variant
 * @returns {OpenDevice | null} null where it lacks features
 */
function sameDevice(device, variant) {
  return supports(variant, device) ? { device, info: device.adapterInfo } : null;
}

/**
 * @param {GPU | undefined} gpu
 * @param {Variant} variant
 * @param {() => void} [onPause]
 * @returns {Promise<OpenDevice | null>} null where it lacks features
 */
async function newDevice(gpu, variant, onPause) {
  const adapter = await requestAdapter(gpu, onPause);
  if (!supports(variant, adapter)) return null;
  return { device: await requestDevice(adapter, variant), info: adapter.info };
}

/**
 * Compiles the source of a variant.
 *
 * @param {OpenDevice} open
 * @param {Variant} variant
 * @param {ReadonlyMap<string, Section>} sections
 * @returns {Promise<{compiled: Device, errors: string[]}>}
 */
async function compile({ device, info }, variant, sections) {
  device.pushErrorScope("validation");
  let compiled, scope;
  try {
    compiled = new Device(device, variant, sections, info);
  } finally {
    scope = device.popErrorScope(); // at once: others may open scopes of their own
    scope.catch(() => {}); // a lost device is noticed when it is used
  }
  return { compiled, errors: await compiled.compilationErrors() };
}

/**
 * Returns a device with the features of a variant and default limits; with timestamps, where the adapter has
 * them.
 *
 * @param {GPUAdapter} adapter
 * @param {Variant} variant
 */
async function requestDevice(adapter, variant) {
  const features = /** @type {GPUFeatureName[]} */ ([...variant.features]);
  if (adapter.features.has("timestamp-query")) features.push("timestamp-query");
  try {
    return await adapter.requestDevice({ label: "llq", requiredFeatures: features });
  } catch (cause) {
    throw new UnsupportedError("the adapter offers no device with WebGPU's default limits", {
      code: "no-device",
      cause,
    });
  }
}
