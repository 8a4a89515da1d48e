/** Tokens one after another on a device, several in flight; no logits are read back (spec: Generation). */

import { USAGE } from "../gpu/buffer_usage.js";
import { CHOSEN } from "../gpu/executor.js";
import { Adjuster } from "./adjuster.js";
import { tokenLogprobs } from "./log_probabilities.js";
import { isAdjusted, samplingBytes } from "./sampling.js";

/** @typedef {import("../gpu/executor.js").Executor} Executor */
/** @typedef {import("./log_probabilities.js").TokenLogprobs} TokenLogprobs */
/** @typedef {import("./sampling.js").Sampling} Sampling */

/**
 * @typedef {(ids: readonly number[]) => Uint32Array | null | Promise<Uint32Array | null>} MaskHook gives the
 *   ids that are allowed next, as bits, after the ids of the output so far
 */
/**
 * @typedef {object} Options
 * @property {readonly number[]} [eos]
 * @property {Sampling} [sampling]
 * @property {readonly number[]} [sequence] ids of the whole sequence, where the executor holds the first of them
 * @property {MaskHook} [mask]
 * @property {number} [logprobs] number of the most probable tokens that are reported with each token
 * @property {(logprobs: TokenLogprobs) => void} [onLogprobs] called with those of each token before it is
 *   yielded, where `logprobs` is set
 * @property {AbortSignal} [signal]
 */

/** Tokens that are encoded before the first of them is read: the device never waits for the CPU. */
export const IN_FLIGHT = 4;

const STATE_BYTES = 256;

const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0n };

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
 * @param {Options} [options]
 * @returns {AsyncGenerator<number, "stop" | "length", void>} returns why it ended
 */
export async function* generate(executor, ids, maxTokens, options = {}) {
  const { eos = [], sampling = GREEDY, sequence = ids, mask, logprobs, onLogprobs, signal } = options;
  const { device } = executor;
  const choice = sampling.temperature > 0 ? "sample" : "greedy";
  signal?.throwIfAborted();
  if (choice === "sample") executor.write("sampling", samplingBytes(sampling));
  await executor.prefill(ids, signal);
  await executor.prepare([choice, "decode"]);
  // The last token of a full context is chosen and never computed.
  const steps = Math.min(maxTokens, executor.context - executor.position + 1);
  const inFlight = mask === undefined ? IN_FLIGHT : 1; // a mask depends on the token before it
  const logitsBytes = logprobs === undefined ? 0 : 4 * executor.vocabSize;
  const staging = Array.from({ length: Math.min(inFlight, Math.max(steps, 0)) }, (_, n) =>
    device.gpu.createBuffer({
      label: `chosen ${n}`,
      size: STATE_BYTES + logitsBytes,
      usage: USAGE.MAP_READ | USAGE.COPY_DST,
    }),
  );
  const free = [...staging];
  /** @type {{buffer: GPUBuffer, mapped: Promise<undefined>}[]} */
  const flight = [];
  let submitted = 0;
  /** @type {number[]} */
  const output = [];
  let failed = false;
  /** @type {Adjuster | null} */
  let adjuster = null;
  try {
    if (isAdjusted(sampling) || mask !== undefined) {
      adjuster = await Adjuster.make(executor);
      adjuster.begin(sampling, sequence);
    }
    while (output.length < steps) {
      while (submitted < steps && free.length > 0) {
        if (mask !== undefined) {
          adjuster?.allow(await mask(output.slice()));
          signal?.throwIfAborted();
        }
        const buffer = /** @type {GPUBuffer} */ (free.pop());
        const first = submitted === 0;
        const mapped = submit(executor, { first, choice, adjuster, logitsBytes }, buffer);
        mapped.catch(() => {}); // its error is thrown where it is awaited
        flight.push({ buffer, mapped });
        submitted++;
      }
      const step = flight[0];
      let token, logits;
      try {
        await step.mapped;
        const mapped = step.buffer.getMappedRange();
        token = new Uint32Array(mapped, 0, STATE_BYTES / 4)[CHOSEN];
        if (logitsBytes > 0) logits = new Float32Array(mapped.slice(STATE_BYTES));
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
      output.push(token);
      if (logits !== undefined) onLogprobs?.(tokenLogprobs(logits, token, logprobs ?? 0));
      yield token;
      signal?.throwIfAborted();
    }
    return "length";
  } finally {
    if (failed) executor.start();
    else executor.advance(output.slice(0, -1));
    for (const step of flight) await step.mapped.catch(() => {});
    for (const buffer of staging) buffer.destroy();
    adjuster?.dispose();
  }
}

/**
 * Submits what computes and chooses one token, and returns when the state after it can be read.
 *
 * @param {Executor} executor
 * @param {{first: boolean, choice: string, adjuster: Adjuster | null, logitsBytes: number}} step first:
 *   whether the logits are there already; logitsBytes: of logits to copy after the state
 * @param {GPUBuffer} buffer
 */
function submit(executor, { first, choice, adjuster, logitsBytes }, buffer) {
  const encoder = executor.device.gpu.createCommandEncoder({ label: choice });
  const passes = first ? [] : ["decode"];
  if (adjuster === null && logitsBytes === 0) {
    executor.encode(encoder, [...passes, choice], 1);
  } else {
    if (!first) executor.encode(encoder, passes, 1);
    if (logitsBytes > 0) {
      encoder.copyBufferToBuffer(executor.resource("logits"), 0, buffer, STATE_BYTES, logitsBytes);
    }
    adjuster?.encode(encoder);
    executor.encode(encoder, [choice], 1);
  }
  encoder.copyBufferToBuffer(executor.resource("state"), 0, buffer, 0, STATE_BYTES);
  executor.device.gpu.queue.submit([encoder.finish()]);
  return buffer.mapAsync(1);
}
