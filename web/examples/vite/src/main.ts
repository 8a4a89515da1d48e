import { LLQError, type Progress, WebGPULlama4 } from "webgpu-llama4";

const output = document.querySelector("output") as HTMLOutputElement;
const parameters = new URLSearchParams(location.search);

function show({ phase, loaded, total }: Progress): void {
  output.textContent = `${phase} ${total ? Math.round((100 * loaded) / total) : 0} %`;
}

try {
  // Vite builds the worker from the sources of the package.
  const model = await WebGPULlama4.inWorker("/model/", { onProgress: show });
  output.textContent = "";
  const prompt = parameters.get("prompt") ?? "The capital of France is";
  for await (const piece of model.stream(prompt, { maxTokens: 64 })) output.textContent += piece;
  model.dispose();
} catch (error) {
  output.textContent = error instanceof LLQError ? `${error.code}: ${error.message}` : String(error);
}
