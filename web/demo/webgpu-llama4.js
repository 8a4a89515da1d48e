// The article imports "./webgpu-llama4.js", next to its page.
export * from "../dist/webgpu-llama4.js";
