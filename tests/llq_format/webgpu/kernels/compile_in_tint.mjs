// Compiles WGSL modules in Tint, through Dawn's null backend, which has all features and needs no driver.
//
// stdin: JSON list of {name, code, entryPoints: {name: ["read" | "read_write", ...]}}; stdout: JSON object of a list of
// messages by module name. An entry point's pipeline is made with the layouts that an executor gives it.

import { readFileSync } from "node:fs";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const gpu = create(["backend=null"]);

async function messagesOf({ code, entryPoints }) {
  const adapter = await gpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: ["shader-f16", "subgroups"] });
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const info = await module.getCompilationInfo();
  const found = info.messages.map((m) => `${m.type} in line ${m.lineNum}: ${m.message}`);
  const failed = await device.popErrorScope();
  if (failed !== null) {
    return [...found, failed.message];
  }
  for (const [entryPoint, accesses] of Object.entries(entryPoints)) {
    device.pushErrorScope("validation");
    const group = (types) =>
      device.createBindGroupLayout({
        entries: types.map((type, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type },
        })),
      });
    const storage = accesses.map((access) => (access === "read" ? "read-only-storage" : "storage"));
    const layout = device.createPipelineLayout({ bindGroupLayouts: [group(storage), group(["uniform"])] });
    device.createComputePipeline({ layout, compute: { module, entryPoint } });
    const error = await device.popErrorScope();
    if (error !== null) {
      found.push(`${entryPoint}: ${error.message}`);
    }
  }
  device.destroy();
  return found;
}

const results = {};
for (const module of JSON.parse(readFileSync(0, "utf8"))) {
  results[module.name] = await messagesOf(module);
}
console.log(JSON.stringify(results));
process.exit(0); // Dawn keeps the process alive
