// Prints an answer, in Node: node answer.mjs ADDRESS_OF_PACKAGE PROMPT

import process from "node:process";
import { WebGPULlama4 } from "webgpu-llama4";
import { nodeGpu } from "webgpu-llama4/node"; // it needs the npm package webgpu

const [address, prompt] = process.argv.slice(2);
const model = await WebGPULlama4.loadModel(address, { device: await nodeGpu() });
for await (const piece of model.stream(prompt, { maxTokens: 64 })) process.stdout.write(piece);
process.stdout.write("\n", () => process.exit()); // Dawn keeps the process alive
