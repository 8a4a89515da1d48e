// An adapter that claims `api` alone, for mutants and conforming variants of the interface:
//
//   pytest conformance --runtime='cmd:node web/test/api/mutant_adapter.mjs stop-left-in'
//
// A request whose url ends with `#NAME/` is answered by that implementation instead. Those that do not change
// loading
// share one correct model, for it takes long to load on a CPU.

import process from "node:process";
import { createInterface } from "node:readline";

import { respond } from "../../harness/response.js";
import { scenario } from "../../harness/scenario.js";
import { WebGPULlama4 } from "../../index.js";
import { DisposedError } from "../../src/errors.js";
import { nodeGpu } from "../../src/gpu/node_gpu.js";
import { disguised } from "../support/disguise.mjs";
import { CHANGES, LOADING } from "./mutants.mjs";

/** @typedef {import("../../harness/interface.js").Interface} Interface */
/** @typedef {import("../../harness/interface.js").Model} Model */

console.debug = console.error; // standard output is for the protocol
const gpu = "Deno" in globalThis ? navigator.gpu : await nodeGpu();
const CONTROL = "control";
const defaultName = process.argv[2] ?? CONTROL;

/** @type {Promise<Model> | undefined} */
let sharedModel;

/** The interface whose models are all the same one, loaded once. @type {Interface} */
const sharing = {
  ...WebGPULlama4,
  async loadModel(url, options) {
    sharedModel ??= WebGPULlama4.loadModel(url, { ...options, signal: undefined, onProgress: undefined });
    const model = await sharedModel;
    for (const [phase, loaded] of [
      ["metadata", 0],
      ["weights", 0],
      ["weights", 2],
      ["pipelines", 2],
      ["ready", 2],
    ]) {
      options.onProgress?.(disguised({ phase, file: "", loaded, total: 2 }));
    }
    return disposable(model);
  },
};

/** Returns a model that can be disposed of without the shared one. @param {Model} model @returns {Model} */
function disposable(model) {
  let disposed = false;
  /** @type {import("../../harness/interface.js").Session[]} */
  const sessions = [];
  const check = () => {
    if (disposed) throw new DisposedError();
  };
  return {
    infer(...args) {
      check();
      return model.infer(...args);
    },
    stream(...args) {
      check();
      return model.stream(...args);
    },
    async createSession(...args) {
      check();
      const session = await model.createSession(...args);
      sessions.push(session);
      return session;
    },
    profile(...args) {
      check();
      return model.profile(...args);
    },
    tokenizer: model.tokenizer,
    contextLength: model.contextLength,
    dispose() {
      disposed = true;
      for (const session of sessions) session.dispose();
    },
  };
}

/** @param {string} name @param {Interface} base */
function implementation(name, base) {
  if (name === CONTROL) return base;
  if (!Object.hasOwn(CHANGES, name)) {
    throw new Error(`there is no implementation ${name}; there are ${Object.keys(CHANGES).join(", ")}`);
  }
  return CHANGES[name](base);
}

implementation(defaultName, WebGPULlama4);
/** @type {import("../../harness/response.js").Handlers} */
const handlers = {
  hello: ({ protocol }) => ({
    op: "hello",
    protocol,
    name: `interface ${defaultName}`,
    version: "",
    language: "JavaScript",
    capabilities: ["api"],
    timeout_scale: 10,
  }),
  api({ url, steps }) {
    const named = new URL(url).hash.slice(1, -1);
    const name = named || defaultName;
    const shares = named !== "" && (!LOADING.has(name) || "share" in steps[0]);
    const ownSteps = steps.map((/** @type {{share?: string}} */ step) =>
      step.share === undefined ? step : { ...step, share: `${name} ${step.share}` },
    );
    return scenario(implementation(name, shares ? sharing : WebGPULlama4), { url, steps: ownSteps }, gpu);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.op === "bye") break;
  process.stdout.write(`${JSON.stringify(await respond(handlers, request))}\n`);
}
process.exit(0); // Dawn keeps the process alive
