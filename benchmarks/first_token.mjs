// Loads a package over HTTP on Dawn and asks for one token; prints when what was there, in seconds since the start.
// node benchmarks/first_token.mjs URL

import { WebGPULlama4 } from "../web/index.js";
import { nodeGpu } from "../web/src/gpu/node_gpu.js";

const IDS = {
  prompt: async () => [1, 2, 3, 4, 5],
  pieces: () => ({ push: async (id) => String(id), end: async () => "" }),
  eosTokenIds: [],
};
const gpu = await nodeGpu();
const start = performance.now();
const times = {};
const onProgress = ({ phase, loaded, total }) => {
  const name = phase === "weights" && total > 0 && loaded === total ? "weights_complete" : phase;
  times[name] ??= (performance.now() - start) / 1000;
};
const model = await WebGPULlama4.loadModel(process.argv[2], { device: gpu, onProgress, cache: false });
model.tokenizer ??= IDS; // a package without one is asked with ids
await model.infer("The capital of France is", { maxTokens: 1 });
times.first_token = (performance.now() - start) / 1000;
console.log(JSON.stringify({ adapter: model.device.name, variant: model.device.variant, times }));
model.dispose();
process.exit(0);
