// The example of section 5.3 of the founding article, to the letter; tests/web/test_article.py says where the files are.

import { WebGPULlama4 } from "webgpu-llama4";

async function runDemo() {
  const model = await WebGPULlama4.loadModel("/models/llama4-7b-int4.wgsl");
  const tokenizer = await WebGPULlama4.createTokenizer("/tokenizer/vocab.json");

  const prompt = "Explain quantum entanglement in simple terms.";
  const text = await model.infer(prompt, { maxTokens: 128, temperature: 0.7 });
  console.log(text);
}
runDemo();
