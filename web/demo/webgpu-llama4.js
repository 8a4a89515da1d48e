// The article imports "./webgpu-llama4.js", beside its page.
export * from "../dist/webgpu-llama4.js";
