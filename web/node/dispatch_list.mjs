// Prints what a host replays of a package: `node dispatch_list.mjs DIRECTORY TOKENS CONTEXT`. Needs no driver.

import { directorySource } from "../harness/directory_source.js";
import { Host } from "../src/gpu/executor.js";
import { nodeGpu } from "../src/gpu/node_gpu.js";
import { openDevice } from "../src/gpu/open_device.js";
import { grid, parameterBytes, parseProgram, SLOT_BYTES, toProgram } from "../src/gpu/program.js";
import { Package } from "../src/net/package.js";
import { readModule } from "../src/package/module.js";
import { directory as directoryAt } from "./directory.js";

const [directory, tokens, context] = process.argv.slice(2);
const opened = await Package.open(directorySource(directoryAt(directory)));
const { module, program: entry } = opened.metadata;
const program = toProgram(parseProgram(await opened.readFile(entry)));
const gpu = await nodeGpu(["backend=null"]); // Dawn checks everything and computes nothing
const device = await openDevice(program, readModule(await opened.readFile(module)), {
  gpu,
  variant: "portable",
});
const { shards } = await opened.upload(device, program);
const host = new Host(program, device, { shards, context: Number(context) });
await host.prepare([...program.passes.keys()]);
const arena = parameterBytes(program);
const passes = {};
for (const name of program.passes.keys()) {
  passes[name] = host.prepared(name).map(({ dispatch }) => ({
    entry_point: dispatch.entry_point,
    bindings: dispatch.bindings.map((binding) => {
      const { buffer, offset, size } = host.binding(binding);
      return [buffer.label, buffer.size, offset, size];
    }),
    parameters: Buffer.from(
      arena.subarray(SLOT_BYTES * dispatch.parameters, SLOT_BYTES * (dispatch.parameters + 1)),
    ).toString("hex"),
    workgroups: grid(dispatch, Number(tokens)),
  }));
}
process.stdout.write(JSON.stringify(passes), () => process.exit(0)); // Dawn keeps the process alive
