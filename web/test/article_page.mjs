// What a page has and Node does not: an address, and WebGPU. `node --import ./test/article_page.mjs test/article.mjs URL`.

import { nodeGpu } from "../src/node_gpu.js";

Object.defineProperty(globalThis, "location", { value: new URL(process.argv[2]) });
Object.defineProperty(navigator, "gpu", { value: await nodeGpu() });
const { log } = console;
console.log = (text) => {
  log(JSON.stringify(text));
  process.exit(0); // Dawn keeps the process alive
};
