// Calls of a model on a device that others use too, for tests/web/test_calls.py:
//
//   deno run web/test/api/calls.mjs URL_OF_PACKAGE PROMPT own|shared
//
// Prints an object: by the name of a case, what was seen.

import process from "node:process";
import { WebGPULlama4 } from "../../index.js";
import { disguised } from "../support/disguise.mjs";

const [, , url, prompt, kind] = process.argv;
/** @type {GPUDevice[]} */
const devices = [];
const BAD = { size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE };

/** A GPU object that records the devices that are opened. @type {GPU} */
const recordingGpu = disguised({
  wgslLanguageFeatures: navigator.gpu.wgslLanguageFeatures,
  async requestAdapter(/** @type {GPURequestAdapterOptions} */ options) {
    const adapter = await navigator.gpu.requestAdapter(options);
    if (adapter === null) return null;
    return {
      features: adapter.features,
      info: adapter.info,
      async requestDevice(/** @type {GPUDeviceDescriptor} */ descriptor) {
        const device = await adapter.requestDevice(descriptor);
        devices.push(device);
        return device;
      },
    };
  },
});

/** Makes an error on the device that no scope catches, and waits until it is reported. */
async function stray() {
  const device = devices[devices.length - 1];
  const reported = new Promise((resolve) => {
    device.addEventListener("uncapturederror", resolve, { once: true });
  });
  device.createBuffer(BAD);
  await reported;
}

/** @param {unknown} error */
function codeOf(error) {
  return `error ${/** @type {{code?: string}} */ (error).code ?? error}`;
}

const adapter = kind === "shared" ? await recordingGpu.requestAdapter() : null;
const device = adapter === null ? recordingGpu : await adapter.requestDevice();
const model = await WebGPULlama4.loadModel(url, { device, cache: false });

/** Returns the text of an answer, or the code of its error. */
function answer(/** @type {string | import("../../index.js").Message[]} */ text) {
  return model.infer(text).catch(codeOf);
}

/** Aborts an answer after some ms; returns the error, the end, and the next answer. @param {number} ms */
async function aborted(ms) {
  const stop = new AbortController();
  const reason = new Error("enough");
  const stream = model.stream(prompt.repeat(45), { signal: stop.signal }); // several chunks of a prefill
  const reading = stream[Symbol.asyncIterator]().next();
  setTimeout(() => stop.abort(reason), ms);
  const error = await reading.then(
    () => null,
    (error) => error,
  );
  return [error === reason, stream.finishReason, await answer(prompt)];
}

/** @type {Record<string, unknown>} */
const seen = {};

await stray();
seen["error between calls"] = await answer(prompt);

let during = "";
try {
  let count = 0;
  for await (const piece of model.stream(prompt)) {
    during += piece;
    if (++count === 2) await stray();
  }
} catch (error) {
  during = codeOf(error);
}
seen["error during a call"] = [during, await answer(prompt), await answer(prompt)];

const shared = devices[devices.length - 1];
shared.pushErrorScope("validation");
const answering = answer(prompt);
shared.createBuffer(BAD);
const own = await shared.popErrorScope();
const inScope = await answering;
seen.scopes = [
  own !== null,
  inScope,
  await shared.popErrorScope().then(
    () => "a scope is left open",
    () => "none is left open",
  ),
];

for (const ms of [0, 1, 20, 60]) seen[`aborted after ${ms} ms`] = await aborted(ms);

const stop = new AbortController();
setTimeout(() => stop.abort(new Error("enough")), 20);
const profiled = await model.profile({ signal: stop.signal }).then(
  () => null,
  (error) => error.message,
);
seen["profile aborted"] = [profiled, await answer(prompt)];

const long = {
  "one letter": "a".repeat(100_000),
  "many letters": Array.from({ length: 100_000 }, (_, n) => String.fromCharCode(33 + ((n * 7919) % 90))).join(
    "",
  ),
};
for (const [name, text] of Object.entries(long)) {
  const message = await model.infer(text).catch(({ message }) => message);
  seen[`long prompt of ${name}`] = [
    await answer(text),
    await answer([{ role: "user", content: text }]),
    message.startsWith("the prompt of 100000 characters"), // which says that nothing was encoded
  ];
}

if (kind === "own") {
  shared.destroy();
  seen["device lost between calls"] = [await answer(prompt), devices.length > 1];
}
model.dispose();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
