// An adapter that claims `api` alone, for implementations with a mistake made on purpose, or with none:
//
//   pytest conformance --runtime='cmd:node web/test/api/mutant_adapter.mjs stop-left-in'
//
// A request whose url ends with `#NAME/` is answered by that implementation instead. Those whose mistake does not lie
// in loading are then made around one right model, for it takes long to load on a CPU.

import process from "node:process";
import { createInterface } from "node:readline";

import { respond } from "../../harness/response.js";
import { scenario } from "../../harness/scenario.js";
import { WebGPULlama4 } from "../../index.js";
import { DisposedError } from "../../src/errors.js";
import { nodeGpu } from "../../src/gpu/node_gpu.js";
import { CHANGES, LOADING } from "./mutants.mjs";

console.debug = console.error; // standard output is for the protocol
const gpu = "Deno" in globalThis ? navigator.gpu : await nodeGpu();
const told = process.argv[2] ?? "control";

/** The interface whose models are all the same one, loaded once. */
const pooled = {
  ...WebGPULlama4,
  async loadModel(url, options) {
    pooled.model ??= WebGPULlama4.loadModel(url, { ...options, signal: undefined, onProgress: undefined });
    const model = await pooled.model;
    for (const [phase, loaded] of [
      ["metadata", 0],
      ["weights", 0],
      ["weights", 2],
      ["pipelines", 2],
      ["ready", 2],
    ]) {
      options.onProgress?.({ phase, file: "", loaded, total: 2 });
    }
    let disposed = false;
    const unless =
      (action) =>
      (...given) => {
        if (disposed) throw new DisposedError();
        return action(...given);
      };
    return {
      infer: unless((...given) => model.infer(...given)),
      stream: unless((...given) => model.stream(...given)),
      profile: unless((...given) => model.profile(...given)),
      tokenizer: model.tokenizer,
      contextLength: model.contextLength,
      dispose: () => (disposed = true),
    };
  },
};

function interfaceOf(name, base) {
  if (name === "control") return base;
  if (!(name in CHANGES))
    throw new Error(`no implementation is called ${name}; there are ${Object.keys(CHANGES).join(", ")}`);
  return CHANGES[name](base);
}

interfaceOf(told, WebGPULlama4);
const answers = {
  hello: ({ protocol }) => ({
    op: "hello",
    protocol,
    name: `interface ${told}`,
    version: "",
    language: "JavaScript",
    capabilities: ["api"],
    timeout_scale: 10,
  }),
  api({ url, steps }) {
    const asked = new URL(url).hash.slice(1, -1);
    const name = asked || told;
    const base = asked && (!LOADING.has(name) || "share" in steps[0]) ? pooled : WebGPULlama4;
    const own = steps.map((step) =>
      step.share === undefined ? step : { ...step, share: `${name} ${step.share}` },
    );
    return scenario(interfaceOf(name, base), { url, steps: own }, gpu);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.op === "bye") break;
  process.stdout.write(`${JSON.stringify(await respond(answers, request))}\n`);
}
process.exit(0); // Dawn keeps the process alive
