// The adapter of webgpu-llama4 in Node for the conformance suite: JSON lines on standard input and output.
//
//   pytest conformance --runtime=node

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { handlers } from "../harness/handlers.js";
import { directorySource } from "./directory.js";
import { readNpy, writeNpy } from "./npy.js";
import { nodeGpu } from "./runtime.js";

const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
const answers = handlers({
  info: { name: "webgpu-llama4 in Node", version },
  gpu: nodeGpu(),
  variant: process.argv[2], // the only one that will do, where one is named
  source: directorySource,
  read: async (directory, name) => new Uint8Array(await readFile(join(directory, name))),
  readArray: readNpy,
  writeArray: writeNpy,
});

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.op === "bye") break;
  let response;
  try {
    const answer = await answers[request.op](request);
    response = request.op === "hello" ? answer : { id: request.id, ok: true, ...answer };
  } catch (error) {
    response = { id: request.id, ok: false, error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(response)}\n`);
}
process.exit(0); // Dawn keeps the process alive
