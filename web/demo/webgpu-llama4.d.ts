// The types of the bundle that webgpu-llama4.js exports.
export * from "../index.js";
