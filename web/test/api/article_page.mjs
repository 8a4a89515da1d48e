// What a page has and Node does not: an address, and WebGPU. `node --import ./test/api/article_page.mjs
// test/api/article.mjs URL`.

import { nodeGpu } from "../../src/gpu/node_gpu.js";

Object.defineProperty(globalThis, "location", { value: new URL(process.argv[2]) });
Object.defineProperty(navigator, "gpu", { value: await nodeGpu() });
const { log } = console;
console.log = (text) => {
  log(JSON.stringify(text));
  process.exit(0); // Dawn keeps the process alive
};
