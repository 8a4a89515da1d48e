// Prints an answer, in Deno, which has WebGPU:
//
//   deno run --unstable-webgpu --allow-net --allow-env answer.ts ADDRESS_OF_PACKAGE PROMPT

// @ts-types="../../declarations/index.d.ts"
import { WebGPULlama4 } from "../../dist/webgpu-llama4.js";


const [address = "", prompt = ""] = Deno.args;
const model = await WebGPULlama4.inWorker(address);
for await (const piece of model.stream(prompt, { maxTokens: 64 })) {
  await Deno.stdout.write(new TextEncoder().encode(piece));
}
await Deno.stdout.write(new TextEncoder().encode("\n"));
model.dispose(); // it ends the worker, which keeps the process alive
