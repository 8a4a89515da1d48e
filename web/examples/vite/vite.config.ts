import { defineConfig } from "vite";

export default defineConfig({
  build: { target: "es2022" },
  worker: { format: "es" }, // workers of webgpu-llama4 import modules when they need them
});
