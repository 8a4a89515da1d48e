// A runtime that the demo page can be looked at with: it loads slowly, answers slowly, and computes nothing.
const wait = (ms, signal) =>
  new Promise((resolve, reject) => {
    const end = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(end);
      reject(signal.reason);
    });
  });
const TEXT = "Golden light appears,\nthe quiet hills begin to breathe –\na sparrow wakes first.";

class Model {
  device = { name: "Stub adapter (LLVM 15, 256 bits)", vendor: "stub", variant: "portable", software: true };
  memory = () => ({ weights: 82_900_000, kv_cache: 94_000_000, activation: 9_000_000 });
  stream(_prompt, { signal } = {}) {
    const stream = { usage: { completionTokens: 0 }, finishReason: null };
    stream[Symbol.asyncIterator] = async function* () {
      for (const piece of TEXT.match(/\s*\S+/g)) {
        await wait(100, signal);
        stream.usage.completionTokens += 1;
        yield piece;
      }
      stream.finishReason = "stop";
    };
    return stream;
  }
  profile = async () => ({
    block_times_ms: Array.from({ length: 30 }, (_, i) => 1.1 + 0.3 * Math.sin(i * 2.3)),
  });
}

export const WebGPULlama4 = {
  async loadModel(_url, { signal, onProgress }) {
    for (let i = 0; i <= 20; i++) {
      await wait(100, signal);
      onProgress({
        phase: "weights",
        loaded: i * 4_145_000,
        total: 82_900_000,
        bytesPerSecond: 12_300_000,
        secondsLeft: (20 - i) / 2,
        cached: false,
      });
    }
    return new Model();
  },
  cache: { list: async () => [{ url: "", bytes: 82_900_000 }], clear: async () => {} },
};
