// Asks five turns of a conversation, without and with what earlier turns computed; prints the times in ms.
// deno run -A --unstable-webgpu benchmarks/turns.mjs URL QUESTION ANSWER, both in tokens; or in Node, with Dawn

import process from "node:process";
import { WebGPULlama4 } from "../web/index.js";
import { nodeGpu } from "../web/src/gpu/node_gpu.js";

const TURNS = 5;
const [, , url, question, answer] = process.argv;
const gpu = "Deno" in globalThis ? navigator.gpu : await nodeGpu();

/** A tokenizer whose texts are ids, so that a package needs none. */
const ids = (text) => text.split(" ").filter(Boolean).map(Number);
const tokenizer = {
  prompt: async (text) => ids(text),
  pieces: () => ({ push: async (id) => ` ${id}`, end: async () => "" }),
  eosTokenIds: [],
};
const model = await WebGPULlama4.loadModel(url, { device: gpu, cache: false });
model.tokenizer = tokenizer;

/** Answers a prompt; returns the text, and the ms until its first piece. */
async function asked(callee, prompt) {
  const start = performance.now();
  let first = 0;
  let text = "";
  for await (const piece of callee.stream(prompt, { maxTokens: Number(answer) })) {
    first ||= performance.now() - start;
    text += piece;
  }
  return { first, text };
}

/** Returns the times to the first token of all turns; `before` runs before each turn. */
async function conversation(callee, before = async () => {}) {
  let prompt = "";
  const times = [];
  for (let turn = 0; turn < TURNS; turn++) {
    prompt += Array.from({ length: Number(question) }, (_, n) => ` ${1 + ((7 * n + 31 * turn) % 97)}`).join(
      "",
    );
    await before();
    const { first, text } = await asked(callee, prompt);
    times.push(first);
    prompt += text;
  }
  return times;
}

await conversation(model); // kernels are warm afterwards
const forget = () => model.infer("1", { maxTokens: 0 }); // another prompt: nothing is kept
const times = { without: await conversation(model, forget), automatic: await conversation(model) };
const session = await model.createSession();
times.session = await conversation(session);
const { name, variant } = model.device;
process.stdout.write(`${JSON.stringify({ adapter: name, variant, bytes: session.bytes, times })}\n`, () =>
  process.exit(0),
);
