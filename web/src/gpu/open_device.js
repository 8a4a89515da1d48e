/** From a program to a device: which adapter, which variant of the module. */

import { DeviceError, UnsupportedError } from "../errors.js";
import { Device } from "./device.js";
import { computesRightly } from "./self_test.js";

/** @typedef {import("../package/module.js").Section} Section */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./program.js").Variant} Variant */

/**
 * Returns the adapter of a platform that has most of its power.
 *
 * @param {GPU | undefined} gpu
 * @returns {Promise<GPUAdapter>}
 * @throws {UnsupportedError} `no-webgpu`, `no-adapter`
 */
export async function requestAdapter(gpu) {
  if (gpu === undefined) {
    throw new UnsupportedError(
      "WebGPU is not available here: it needs a recent browser and a page from https: or localhost",
      { code: "no-webgpu" },
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new UnsupportedError(
      "this machine offers no WebGPU adapter: there is no GPU, or its driver is blocked",
      {
        code: "no-adapter",
      },
    );
  }
  return adapter;
}

/**
 * Returns a device for a program: with the last variant that it has all features of, whose source it compiles, and
 * which passes the self-test. The first variant is what the others are held against: where it fails too, the kernels
 * are others than the test is for, and it is taken.
 *
 * @param {Program} program
 * @param {ReadonlyMap<string, Section>} sections
 * @param {{gpu?: GPU, device?: GPUDevice, variant?: string}} [options] gpu: navigator.gpu unless given; device: one
 *   that is open; variant: the name of the only one that will do
 * @returns {Promise<Device>}
 * @throws {UnsupportedError | DeviceError} `no-webgpu`, `no-adapter`, `no-device`, `no-variant`, `shader`, `wrong`
 */
export async function openDevice(program, sections, { gpu, device, variant } = {}) {
  const found = gpu ?? globalThis.navigator?.gpu;
  const language = found?.wgslLanguageFeatures ?? new Set();
  const named = program.variants.filter(({ name }) => variant === undefined || name === variant);
  let complaint = "";
  let wrong = "";
  for (const wanted of named.toReversed()) {
    if (!wanted.language.every((feature) => language.has(feature))) continue;
    const has = (/** @type {{features: ReadonlySet<string>}} */ one) =>
      wanted.features.every((f) => one.features.has(f));
    let open, info;
    if (device !== undefined) {
      if (!has(device)) continue;
      [open, info] = [device, device.adapterInfo];
    } else {
      const adapter = await requestAdapter(found);
      if (!has(adapter)) continue;
      [open, info] = [await request(adapter, wanted), adapter.info];
    }
    open.pushErrorScope("validation");
    const made = new Device(open, wanted, sections, info);
    const complaints = await made.complaints();
    await open.popErrorScope();
    if (complaints.length > 0) complaint ||= ` (${wanted.name}: ${complaints[0]})`;
    else if (wanted === program.variants[0] || (await computesRightly(made, sections))) return made;
    else wrong ||= wanted.name;
    if (device === undefined) made.destroy();
  }
  if (wrong) {
    throw new DeviceError(
      `this device computes wrongly with variant ${wrong}; its driver may need an update`,
      {
        code: "wrong",
      },
    );
  }
  if (complaint) {
    throw new DeviceError(`no variant of the module compiles on this device${complaint}`, {
      code: "shader",
      rule: "LLQ-WGSL-5",
    });
  }
  throw new UnsupportedError(`this device has the features of no variant of the program`, {
    code: "no-variant",
  });
}

/**
 * Returns a device with the features of a variant and default limits; with timestamps, where it has them.
 *
 * @param {GPUAdapter} adapter
 * @param {Variant} variant
 */
async function request(adapter, variant) {
  const features = /** @type {GPUFeatureName[]} */ ([...variant.features]);
  if (adapter.features.has("timestamp-query")) features.push("timestamp-query");
  try {
    return await adapter.requestDevice({ label: "llq", requiredFeatures: features });
  } catch (cause) {
    throw new UnsupportedError("the adapter gives no device with WebGPU's default limits", {
      code: "no-device",
      cause,
    });
  }
}
