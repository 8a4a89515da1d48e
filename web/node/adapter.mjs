// The adapter of webgpu-llama4 in Node and in Deno for the conformance suite: JSON lines on standard input
// and output.
//
//   pytest conformance --runtime=node
//   pytest conformance --runtime=deno

import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import { handlers } from "../harness/handlers.js";
import { respond } from "../harness/response.js";
import manifest from "../package.json" with { type: "json" };
import { nodeGpu } from "../src/gpu/node_gpu.js";
import { directory } from "./directory.js";

const IN_DENO = "Deno" in globalThis;
console.debug = console.error; // standard output is for the protocol

/** @type {Promise<GPU> | undefined} */
let gpu;

/** Opens Dawn, once. */
function dawn() {
  gpu ??= nodeGpu();
  return gpu;
}

const answers = handlers({
  info: { name: `webgpu-llama4 in ${IN_DENO ? "Deno" : "Node"}`, version: manifest.version },
  gpu: IN_DENO ? undefined : dawn,
  variant: process.argv[2], // the only variant that may be used, if any
  directory,
  read: async (path) => new Uint8Array(await readFile(path)),
  write: writeFile,
});

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.op === "bye") break;
  process.stdout.write(`${JSON.stringify(await respond(answers, request))}\n`);
}
process.exit(0); // Dawn keeps the process alive
