// The page of section 6.5 of the founding article, unchanged except for an erratum: its demo.js casts with
// `as HTMLTextAreaElement`, which is TypeScript and a syntax error in a .js file.
import { WebGPULlama4 } from "./webgpu-llama4.js";

async function main() {
  const model = await WebGPULlama4.loadModel("/webgpu/llama4-7b-int4.wgsl");
  const tokenizer = await WebGPULlama4.createTokenizer("/tokenizer/vocab.json");

  const btn = document.getElementById("run");
  const out = document.getElementById("output");
  btn.onclick = async () => {
    const prompt = document.getElementById("prompt").value;
    out.textContent = "⏳ Generating...";
    const result = await model.infer(prompt, { maxTokens: 64, temperature: 0.8 });
    out.textContent = result;
  };
}
main();
