/**
 * The responses of this runtime's adapters (conformance/ADAPTERS.md), wherever they run: files, packages and
 * the GPU
 * come from the platform. Kernels and dispatches come with each request, in the directory `plan`.
 *
 * @module harness/handlers
 */

import { WebGPULlama4 } from "../index.js";
import { isSoftware } from "../src/gpu/device.js";
import { Executor } from "../src/gpu/executor.js";
import { openDevice, requestAdapter } from "../src/gpu/open_device.js";
import { decode, multiply, round } from "../src/gpu/operations.js";
import { toProgram } from "../src/gpu/program.js";
import { upload } from "../src/gpu/upload.js";
import { Package } from "../src/net/package.js";
import { EXTENSIONS } from "../src/package/extensions.js";
import { rowsCols } from "../src/package/layout.js";
import { readModule } from "../src/package/module.js";
import { parseProgram } from "../src/package/program_file.js";
import { validate } from "../src/package/validate.js";
import { generate } from "../src/text/generation.js";
import { packageTokenizer, tokenizerText } from "../src/text/package_tokenizer.js";
import { sample } from "../src/text/sampled_choice.js";
import { isParameter } from "../src/text/sampling.js";
import { poolOf } from "./device_pool.js";
import { directorySource } from "./directory_source.js";
import { fromNpy, toNpy } from "./npy.js";
import { scenario } from "./scenario.js";
import { joined, trace } from "./trace.js";

/** @typedef {import("../src/package/validate.js").Directory} Directory */
/**
 * @typedef {object} Platform files are named as the request names them: by path, or by address
 * @property {{name: string, version: string}} info the name of the runtime
 * @property {() => Promise<GPU>} [gpu] navigator.gpu by default
 * @property {string} [variant] the only variant of the module that may be used
 * @property {import("./interface.js").Interface} [interface] that scenarios use
 * @property {(place: string) => Directory} directory of a package
 * @property {(file: string) => Promise<Uint8Array<ArrayBuffer>>} read
 * @property {(file: string, bytes: Uint8Array<ArrayBuffer>) => Promise<void>} write
 */

/** Longest text that the protocol allows for a device. */
const MAX_DEVICE = 200;

/** Returns all names that an adapter gives itself. */
function deviceNames(/** @type {GPUAdapterInfo} */ { description, device, vendor, architecture }) {
  const names = new Set([device, description, vendor, architecture].filter(Boolean));
  return [...names].join(", ").slice(0, MAX_DEVICE);
}

/** Factor for the time-outs of an adapter that computes on the CPU. */
const SOFTWARE_TIMEOUT_SCALE = 10;

/** What this runtime claims. */
const CAPABILITIES = "decode reject activations matvec logits trace generate sample tokenize api".split(" ");

/** @param {Platform} platform @returns {import("./response.js").Handlers} */
export function handlers({
  info,
  gpu,
  variant,
  interface: interface_ = WebGPULlama4,
  directory,
  read,
  write,
}) {
  const opening = (/** @type {string} */ place) => Package.open(directorySource(directory(place)));

  /** The device of the last request, and the module that it was made for. */
  /** @type {{device: import("../src/gpu/device.js").Device | null, module: string}} */
  let open = { device: null, module: "" };

  /** Returns the platform, whose devices are used again. */
  async function platform() {
    const own = (await gpu?.()) ?? globalThis.navigator?.gpu;
    return own && poolOf(own).gpu([]);
  }

  /** Returns the program of a plan, and a device for its module: the same one as long as the module is. */
  async function planned(/** @type {string} */ plan) {
    const program = toProgram(await parseProgram(await read(fileOf(plan, "program.json"))));
    const module = await read(fileOf(plan, "module.wgsl"));
    const text = new TextDecoder().decode(module);
    let { device } = open;
    if (device === null || device.lost || open.module !== text) {
      device = await openDevice(program, readModule(module), { gpu: await platform(), variant });
      open = { device, module: text };
    }
    return { program, device };
  }

  /** Runs an action on an executor of a model. */
  async function model(
    /** @type {{package: string, plan: string}} */ request,
    /** @type {number} */ positions,
    /** @type {(executor: Executor, metadata: import("../src/package/metadata_types.js").Metadata) => Promise<object | void>} */ action,
  ) {
    const opened = await opening(request.package);
    const { program, device } = await planned(request.plan);
    const { shards, invFreq } = await upload(opened, device, program);
    const context = Math.min(program.contextLength, positions);
    const executor = new Executor(program, device, { shards, context });
    try {
      if (invFreq !== null) executor.writeRope(invFreq);
      return await action(executor, opened.metadata);
    } finally {
      executor.dispose();
      for (const shard of shards) shard?.destroy();
    }
  }

  /** Reads vectors, one a row. */
  async function vectors(/** @type {string} */ file) {
    const { shape, data } = fromNpy(await read(file));
    return { rows: shape[0], cols: shape[1], data };
  }

  return {
    async hello({ protocol }) {
      const adapter = await requestAdapter((await gpu?.()) ?? globalThis.navigator?.gpu);
      return {
        op: "hello",
        protocol,
        ...info,
        language: "JavaScript, WGSL",
        capabilities: CAPABILITIES,
        kv_cache: "f32",
        extensions: [...EXTENSIONS],
        device: deviceNames(adapter.info),
        timeout_scale: isSoftware(adapter.info) ? SOFTWARE_TIMEOUT_SCALE : 1,
      };
    },
    async decode(request) {
      const opened = await opening(request.package);
      const tensor = tensorOf(opened, request.tensor);
      const { program, device } = await planned(request.plan);
      const [rows, cols] = rowsCols(tensor);
      await write(request.output, toNpy(await decode(device, program, opened, rows * cols), tensor.shape));
    },
    async validate(request) {
      const { rule, warnings } = await validate(directory(request.package));
      return { valid: rule === null, rules: rule === null ? [] : [rule], warnings };
    },
    async activations(request) {
      const x = await vectors(request.input);
      const { program, device } = await planned(request.plan);
      const { values, scales } = await round(device, program, request.format, x);
      await write(request.output, toNpy(values, [x.rows, x.cols]));
      if (scales !== null) await write(request.scales, toNpy(scales, [x.rows]));
    },
    async matvec(request) {
      const opened = await opening(request.package);
      const [rows] = rowsCols(tensorOf(opened, request.tensor));
      const x = await vectors(request.input);
      const { program, device } = await planned(request.plan);
      await write(request.output, toNpy(await multiply(device, program, opened, x, rows), [x.rows, rows]));
    },
    logits(request) {
      const { tokens, splits, output } = request;
      return model(/** @type {any} */ (request), tokens.length, async (executor) => {
        const vocab = executor.vocabSize;
        const logits = new Float32Array(tokens.length * vocab);
        let begin = 0;
        for (const count of splits) {
          logits.set(await executor.forward(tokens.slice(begin, begin + count)), begin * vocab);
          begin += count;
        }
        await write(output, toNpy(logits, [tokens.length, vocab]));
      });
    },
    trace(request) {
      const { tokens, splits, output, plan } = /** @type {any} */ (request);
      return model(/** @type {any} */ (request), tokens.length, async (executor) => {
        const taps = JSON.parse(new TextDecoder().decode(await read(fileOf(plan, "taps.json"))));
        const tensors = await trace(executor, taps, tokens, splits);
        const values = joined(tensors.map(({ rows }) => joined(rows)));
        await write(output, toNpy(values, [values.length]));
        return { tensors: tensors.map(({ name, shape }) => ({ name, shape })) };
      });
    },
    generate(request) {
      const { tokens, max_tokens: maxTokens } = request;
      return model(
        /** @type {any} */ (request),
        tokens.length + maxTokens,
        async (executor, { tokenizer }) => {
          const generated = [];
          const eos = tokenizer?.eos_token_ids ?? [];
          for await (const token of generate(executor, tokens, maxTokens, { eos })) generated.push(token);
          return { tokens: generated };
        },
      );
    },
    async sample({ input, temperature, top_k: topK, top_p: topP, seed, position, count, plan }) {
      if (!isParameter(temperature) || !isParameter(topP)) return { refused: true };
      const { data } = fromNpy(await read(input));
      const { program, device } = await planned(plan);
      const sampling = { temperature, topK, topP, seed: BigInt(seed) };
      return { tokens: await sample(device, program, data, sampling, position, count) };
    },
    async tokenize(request) {
      const opened = await opening(request.package);
      const tokenizer = await packageTokenizer(opened.metadata, await tokenizerText(opened));
      if (tokenizer === null) throw new Error("the package has no tokenizer");
      const ids = await tokenizer.encode(request.text);
      return { ids, decoded: await tokenizer.decode(ids) };
    },
    async api(request) {
      open.device?.destroy(); // a scenario uses it again, with its pipelines
      open = { device: null, module: "" };
      return scenario(interface_, /** @type {any} */ (request), await gpu?.());
    },
  };
}

/** @param {string} directory a path, or an address that ends with / @param {string} name */
function fileOf(directory, name) {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** @param {Package} opened @param {string} name */
function tensorOf(opened, name) {
  const tensor = opened.metadata.tensors.find((entry) => entry.name === name);
  if (tensor === undefined) throw new Error(`there is no tensor ${name}`);
  return tensor;
}
