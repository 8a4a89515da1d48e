// An adapter that claims `api` alone, for an implementation with a mistake made on purpose, or with none:
//
//   pytest conformance --runtime='cmd:node web/test/api_adapter.mjs stop-left-in'

import { createInterface } from "node:readline";
import process from "node:process";

import { respond } from "../harness/answering.js";
import { scenario } from "../harness/scenario.js";
import { WebGPULlama4 } from "../index.js";
import { nodeGpu } from "../src/node_gpu.js";
import { CHANGES } from "./api_mutants.mjs";

const name = process.argv[2] ?? "control";
if (name !== "control" && !(name in CHANGES)) throw new Error(`no mutant is called ${name}; there are ${Object.keys(CHANGES).join(", ")}`);
console.debug = console.error; // standard output is for the protocol

const gpu = await nodeGpu();
const api = name === "control" ? WebGPULlama4 : CHANGES[name](WebGPULlama4);
const answers = {
  hello: ({ protocol }) => ({ op: "hello", protocol, name: `interface ${name}`, version: "", language: "JavaScript", capabilities: ["api"], patience: 10 }),
  api: (request) => scenario(api, request, gpu),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.op === "bye") break;
  process.stdout.write(`${JSON.stringify(await respond(answers, request))}\n`);
}
process.exit(0); // Dawn keeps the process alive
