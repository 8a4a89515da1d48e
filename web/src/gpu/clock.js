/** Times of steps of a program, by timestamps where the device has them. */

import { encodeDispatches } from "./bound_dispatch.js";
import { USAGE } from "./buffer_usage.js";
import { median } from "./statistics.js";

/** @typedef {import("./bound_dispatch.js").BoundDispatch} BoundDispatch */
/** @typedef {import("./executor.js").Executor} Executor */
/** @typedef {{passes: string[], tokens: number, before?: () => void}} Step what is submitted at once */
/** @typedef {{encode: number, submit: number, wait: number, wall: number}} HostTimes */
/**
 * @typedef {{start: number, duration: number} | null} Span ms since the first of its run; null if it ran
 *   backwards
 */

/** Spans whose two timestamps fit into a query set, which holds 4096. */
const MAX_SPANS = 2048;

export class Clock {
  #executor;
  empty = 0;
  discarded = 0;
  /** @type {"timestamp-query" | "wall-clock"} */
  method;

  /** @param {Executor} executor */
  constructor(executor) {
    this.#executor = executor;
    this.method = executor.device.gpu.features.has("timestamp-query") ? "timestamp-query" : "wall-clock";
  }

  /** Measures an empty submission. */
  async start() {
    const { gpu } = this.#executor.device;
    const times = [];
    for (let i = 0; i < 5; i++) {
      const begin = performance.now();
      gpu.queue.submit([gpu.createCommandEncoder().finish()]);
      await gpu.queue.onSubmittedWorkDone();
      times.push(performance.now() - begin);
    }
    this.empty = median(times) ?? 0;
  }

  /**
   * @param {Step} step
   * @returns {Promise<HostTimes>} the host's times of a step with nothing else in flight
   */
  async alone(step) {
    const { gpu } = this.#executor.device;
    const begin = performance.now();
    step.before?.();
    const encoder = gpu.createCommandEncoder();
    this.#executor.encode(encoder, step.passes, step.tokens);
    const buffer = encoder.finish();
    const encoded = performance.now();
    gpu.queue.submit([buffer]);
    const submitted = performance.now();
    await gpu.queue.onSubmittedWorkDone();
    this.#executor.device.check();
    const end = performance.now();
    return { encode: encoded - begin, submit: submitted - encoded, wait: end - submitted, wall: end - begin };
  }

  /**
   * @param {Step} step
   * @param {number} times
   * @returns {Promise<number>} ms of all of them, submitted at once
   */
  async inFlight(step, times) {
    const { gpu } = this.#executor.device;
    const begin = performance.now();
    for (let i = 0; i < times; i++) {
      const encoder = gpu.createCommandEncoder();
      this.#executor.encode(encoder, step.passes, step.tokens);
      gpu.queue.submit([encoder.finish()]);
    }
    await gpu.queue.onSubmittedWorkDone();
    this.#executor.device.check();
    return performance.now() - begin;
  }

  /**
   * Returns the times of runs of dispatches of the same group, each in a compute pass of its own.
   *
   * @param {Step} step
   * @param {string[]} groups of each dispatch
   * @returns {Promise<Span[]>}
   */
  async measured(step, groups) {
    const dispatches = step.passes.flatMap((name) => this.#executor.dispatches(name));
    /** @type {BoundDispatch[][]} */
    const runs = [];
    for (const [index, dispatch] of dispatches.entries()) {
      if (index > 0 && groups[index] === groups[index - 1]) runs[runs.length - 1].push(dispatch);
      else runs.push([dispatch]);
    }
    step.before?.();
    return this.method === "timestamp-query"
      ? this.#stamped(runs, step.tokens)
      : this.#watched(runs, step.tokens);
  }

  /** @param {BoundDispatch[][]} runs @param {number} tokens @returns {Promise<Span[]>} */
  async #stamped(runs, tokens) {
    const { gpu } = this.#executor.device;
    /** @type {bigint[]} */
    const stamps = [];
    for (let begin = 0; begin < runs.length; begin += MAX_SPANS) {
      const batch = runs.slice(begin, begin + MAX_SPANS);
      const querySet = gpu.createQuerySet({ type: "timestamp", count: 2 * batch.length });
      const size = 16 * batch.length;
      const resolved = gpu.createBuffer({ size, usage: USAGE.QUERY_RESOLVE | USAGE.COPY_SRC });
      const staging = gpu.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
      const encoder = gpu.createCommandEncoder();
      for (const [i, run] of batch.entries()) {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
        });
        encodeDispatches(pass, run, tokens);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, 2 * batch.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      gpu.queue.submit([encoder.finish()]);
      try {
        await staging.mapAsync(1);
        stamps.push(...new BigUint64Array(staging.getMappedRange()));
      } catch (cause) {
        throw this.#executor.device.failure("timestamps", cause);
      } finally {
        for (const resource of [querySet, resolved, staging]) resource.destroy();
      }
    }
    return runs.map((_, i) => {
      const [begin, end] = [stamps[2 * i], stamps[2 * i + 1]];
      if (end < begin || begin < stamps[0]) {
        this.discarded++;
        return null;
      }
      return { start: Number(begin - stamps[0]) / 1e6, duration: Number(end - begin) / 1e6 };
    });
  }

  /** @param {BoundDispatch[][]} runs @param {number} tokens @returns {Promise<Span[]>} */
  async #watched(runs, tokens) {
    const { gpu } = this.#executor.device;
    const spans = [];
    let start = 0;
    for (const run of runs) {
      const begin = performance.now();
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encodeDispatches(pass, run, tokens);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
      await gpu.queue.onSubmittedWorkDone();
      const duration = Math.max(0, performance.now() - begin - this.empty);
      spans.push({ start, duration });
      start += duration;
    }
    this.#executor.device.check();
    return spans;
  }
}
