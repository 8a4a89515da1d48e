// What the KV cache keeps of earlier prompts, for tests/web/test_prefix_reuse.py:
//
//   deno run web/test/api/prefix_reuse.mjs URL_OF_PACKAGE
//
// Prints an object: by the name of a case, the number of positions that were kept, and whether logits, keys, values and
// tokens equal those of an executor that computed nothing before, bit for bit.

import process from "node:process";
import { Sequence } from "../../src/api/sequence.js";
import { readExecution } from "../../src/gpu/execution.js";
import { ExecutorLoader } from "../../src/gpu/executor_loader.js";
import { Endpoint } from "../../src/net/endpoint.js";
import { HttpSource } from "../../src/net/http_source.js";
import { Package } from "../../src/net/package.js";
import { ProgressMeter } from "../../src/net/progress.js";
import { generate } from "../../src/text/generation.js";

const ANSWER = 20; // tokens: more than a chunk
const opened = await Package.open(new HttpSource(new Endpoint({ url: process.argv[2] })));
const execution = await readExecution(opened);
const { chunk, buffers } = execution.program;
const loader = new ExecutorLoader(opened, execution, {
  choice: { gpu: navigator.gpu },
  contextLength: 8 * chunk,
  meter: new ProgressMeter(() => {}),
});
const executor = await loader.load();
const fresh = await executor.sibling();
const vocab = executor.vocabSize;

let kept = 0;
const resume = executor.resume.bind(executor);
executor.resume = (ids, options) => {
  const rest = resume(ids, options);
  kept = ids.length - rest.length;
  return rest;
};

/** Returns ids that depend on a seed. @param {number} count @param {number} seed */
function idsOf(count, seed) {
  return Array.from({ length: count }, (_, n) => (n * 7919 + seed * 104729 + n * n * seed) % vocab);
}

/** Returns the bytes that a computation of a number of positions leaves. */
async function bytesOf(
  /** @type {import("../../src/gpu/executor.js").Executor} */ of,
  /** @type {number} */ count,
) {
  const names = [...buffers].filter(([, { purpose }]) => purpose === "kv_cache");
  const parts = [await of.read("logits", 4 * vocab)];
  for (const [name, { bytes_per_position: size }] of names) parts.push(await of.read(name, size * count));
  return parts.map((part) => new Uint8Array(part).toString()).join(";");
}

let exact = true;
/** Returns a new sequence on the executor: only what the executor holds is from before. */
function sequence() {
  return new Sequence(executor, { makeExecutor: null, release() {}, exact });
}

/** Returns an answer to ids. @param {readonly number[]} ids @param {AbortSignal} [signal] */
async function answer(ids, signal) {
  const tokens = [];
  for await (const token of sequence().generate(ids, ANSWER, { signal })) tokens.push(token);
  return tokens;
}

/** Returns how many positions were kept, and whether the results are those of a fresh computation. */
async function compared(/** @type {readonly number[]} */ ids) {
  for await (const _ of sequence().generate(ids, 1, {}));
  const count = kept;
  fresh.start();
  for await (const _ of generate(fresh, ids, 1));
  const same = (await bytesOf(executor, ids.length)) === (await bytesOf(fresh, ids.length));
  fresh.start();
  const expected = [];
  for await (const token of generate(fresh, ids, ANSWER)) expected.push(token);
  return [count, same, `${await answer(ids)}` === `${expected}`];
}

/** Makes an error on the device that no scope catches, and waits until it is reported. */
async function stray() {
  const { gpu } = executor.device;
  const reported = new Promise((resolve) => {
    gpu.addEventListener("uncapturederror", resolve, { once: true });
  });
  gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE });
  await reported;
}

const first = idsOf(2 * chunk + 3, 1);
/** @type {Record<string, (own: readonly number[]) => readonly number[]>} a second prompt, by the answer to the first */
const seconds = {
  "the same prompt": () => first,
  "prompt, answer and more": (own) => [...first, ...own, ...idsOf(chunk, 2)],
  "another first id": () => [(first[0] + 1) % vocab, ...first.slice(1)],
  "an id less than a chunk": () => [...first.slice(0, chunk - 1), ...idsOf(chunk, 3)],
  "a chunk": () => [...first.slice(0, chunk), ...idsOf(chunk, 4)],
  "an id more than a chunk": () => [...first.slice(0, chunk + 1), ...idsOf(2 * chunk, 5)],
  "a prompt of one chunk": () => first.slice(0, chunk),
  "a prompt of two chunks": () => first.slice(0, 2 * chunk),
  "a prompt of two chunks and an id": () => first.slice(0, 2 * chunk + 1),
  "a prompt of one id": () => first.slice(0, 1),
};
/** @type {Record<string, unknown>} */
const seen = {};
for (const [name, second] of Object.entries(seconds)) {
  executor.start();
  seen[name] = await compared(second(await answer(first)));
}

executor.start();
const whole = idsOf(3 * chunk, 6);
await answer(whole);
seen["after whole chunks"] = await compared([...whole, 0]);

executor.start();
await answer(first);
await answer(idsOf(2, 7));
seen["after another prompt"] = await compared(first);

executor.start();
const stop = new AbortController();
const { queue } = executor.device.gpu;
const done = queue.onSubmittedWorkDone.bind(queue);
queue.onSubmittedWorkDone = async () => {
  stop.abort(new Error("enough"));
  return done();
};
await answer(first, stop.signal).catch(() => {});
queue.onSubmittedWorkDone = done;
seen["after a prefill that was aborted in its second chunk"] = await compared(first);

executor.start();
await answer(first);
await stray();
seen["after an error of the device"] = await compared(first);

executor.start();
const write = executor.write.bind(executor);
let writes = 0;
executor.write = (name, data) => {
  if (name === "tokens" && ++writes === 2) throw new Error("failed");
  return write(name, data);
};
await answer(first).catch(() => {});
executor.write = write;
seen["after a prefill that failed in its second chunk"] = await compared(first);

executor.start();
const own = await answer(first);
exact = false; // what decode computed is kept, too: this must be seen
seen["kept whichever pass computed it"] = await compared([...first, ...own, 0]);

process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
