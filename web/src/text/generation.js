/** Tokens one after another on a device, several in flight; no logits are read back (spec: Generation). */

import { USAGE } from "../gpu/buffer_usage.js";
import { CHOSEN } from "../gpu/executor.js";
import { samplingBytes } from "./sampling.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("./sampling.js").Sampling} Sampling */

/** Tokens that are encoded before the first of them is read: the device never waits for the CPU. */
export const IN_FLIGHT = 4;

const STATE_BYTES = 256;

/**
 * Computes the next ids of the executor's sequence, and yields the tokens that follow them (LLQ-GEN-1, LLQ-GEN-2).
 *
 * Afterwards `executor.position` counts the sequence and all yielded tokens except the last, because tokens
 * computed ahead are discarded. Generation ends at the end of the context too.
 * If the device fails, the executor forgets its sequence, because parts of it may be missing.
 *
 * @param {Executor} executor
 * @param {readonly number[]} ids at least one
 * @param {number} maxTokens
 * @param {{eos?: readonly number[], sampling?: Sampling, signal?: AbortSignal}} [options]
 * @returns {AsyncGenerator<number, "stop" | "length", void>} returns why it ended
 */
export async function* generate(executor, ids, maxTokens, { eos = [], sampling, signal } = {}) {
  const { device } = executor;
  const choice = sampling !== undefined && sampling.temperature > 0 ? "sample" : "greedy";
  signal?.throwIfAborted();
  if (sampling !== undefined && choice === "sample") executor.write("sampling", samplingBytes(sampling));
  await executor.prefill(ids, signal);
  await executor.prepare([choice, "decode"]);
  // The last token of a full context is chosen and never computed.
  const steps = Math.min(maxTokens, executor.context - executor.position + 1);
  const staging = Array.from({ length: Math.min(IN_FLIGHT, Math.max(steps, 0)) }, (_, n) =>
    device.gpu.createBuffer({
      label: `chosen ${n}`,
      size: STATE_BYTES,
      usage: USAGE.MAP_READ | USAGE.COPY_DST,
    }),
  );
  const free = [...staging];
  /** @type {{buffer: GPUBuffer, mapped: Promise<undefined>}[]} */
  const flight = [];
  let submitted = 0;
  /** @type {number[]} */
  const yielded = [];
  let failed = false;
  try {
    while (yielded.length < steps) {
      while (submitted < steps && free.length > 0) {
        const buffer = /** @type {GPUBuffer} */ (free.pop());
        const mapped = submit(executor, submitted === 0 ? [choice] : ["decode", choice], buffer);
        mapped.catch(() => {}); // its error is thrown where it is awaited
        flight.push({ buffer, mapped });
        submitted++;
      }
      const step = flight[0];
      let token;
      try {
        await step.mapped;
        token = new Uint32Array(step.buffer.getMappedRange())[CHOSEN];
        step.buffer.unmap();
        device.check();
      } catch (cause) {
        failed = true;
        throw device.failure("a token", cause);
      }
      flight.shift();
      free.push(step.buffer);
      signal?.throwIfAborted();
      if (eos.includes(token)) return "stop";
      yielded.push(token);
      yield token;
      signal?.throwIfAborted();
    }
    return "length";
  } finally {
    if (failed) executor.start();
    else executor.advance(yielded.slice(0, -1));
    for (const step of flight) await step.mapped.catch(() => {});
    for (const buffer of staging) buffer.destroy();
  }
}

/**
 * Submits passes for one token, and returns when the state after them can be read.
 *
 * @param {Executor} executor
 * @param {string[]} passes
 * @param {GPUBuffer} buffer
 */
function submit(executor, passes, buffer) {
  const encoder = executor.device.gpu.createCommandEncoder({ label: passes.join(" ") });
  executor.encode(encoder, passes, 1);
  encoder.copyBufferToBuffer(executor.resource("state"), 0, buffer, 0, STATE_BYTES);
  executor.device.gpu.queue.submit([encoder.finish()]);
  return buffer.mapAsync(1);
}
