// Prints the dispatches of a package as the executor runs them; needs no driver:
//
//   node dispatch_list.mjs DIRECTORY TOKENS CONTEXT

import process from "node:process";

import { directorySource } from "../harness/directory_source.js";
import { readExecution } from "../src/gpu/execution.js";
import { Executor } from "../src/gpu/executor.js";
import { nodeGpu } from "../src/gpu/node_gpu.js";
import { openDevice } from "../src/gpu/open_device.js";
import { grid, parameterBytes, SLOT_BYTES } from "../src/gpu/program.js";
import { upload } from "../src/gpu/upload.js";
import { Package } from "../src/net/package.js";
import { directory as directoryAt } from "./directory.js";

const [directory, tokens, context] = process.argv.slice(2);
const opened = await Package.open(directorySource(directoryAt(directory)));
const { program, sections } = await readExecution(opened);
const gpu = await nodeGpu(["backend=null"]); // Dawn checks everything and computes nothing
const device = await openDevice(program, sections, { gpu, variant: "portable" });
const { shards } = await upload(opened, device, program);
const executor = new Executor(program, device, { shards, context: Number(context) });
await executor.prepare([...program.passes.keys()]);
const arena = parameterBytes(program);

/** @param {string} binding */
function bound(binding) {
  const { buffer, offset, size } = executor.binding(binding);
  return [buffer.label, buffer.size, offset, size];
}

/** @param {number} number */
function slot(number) {
  return Buffer.from(arena.subarray(SLOT_BYTES * number, SLOT_BYTES * (number + 1))).toString("hex");
}

const passes = [...program.passes.keys()].map((name) => [
  name,
  executor.dispatches(name).map(({ dispatch }) => ({
    entry_point: dispatch.entry_point,
    bindings: dispatch.bindings.map(bound),
    parameters: slot(dispatch.parameters),
    workgroups: grid(dispatch, Number(tokens)),
  })),
]);
process.stdout.write(JSON.stringify(Object.fromEntries(passes)), () => process.exit(0)); // Dawn keeps the process alive
