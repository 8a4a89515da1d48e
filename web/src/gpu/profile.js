/** Where the time of a token goes: the article's profile(), as spec/schema/profile.schema.json has it. */

import { ContextError } from "../errors.js";
import { encode } from "./bound_dispatch.js";
import { USAGE } from "./device.js";
import { FULL_WORKGROUPS, OCCUPANCY, occupancy, work } from "./workload.js";

/** @typedef {import("./executor.js").Host} Host */
/** @typedef {import("../package/metadata.js").Metadata} Metadata */
/** @typedef {import("./bound_dispatch.js").Prepared} Prepared */
/** @typedef {import("./workload.js").Work} Work */
/** @typedef {Record<string, any> & {block_times_ms: (number | null)[], memory_usage_mb: number, workgroup_occupancy: number}} ProfileReport */
/** @typedef {{passes: string[], tokens: number, before?: () => void}} Step what is submitted at once */
/** @typedef {{encode: number, submit: number, wait: number, wall: number}} HostTimes */

const WARM_UP = 2;
const STRIDE = 7919; // a prime: the made-up prompt is spread over the vocabulary
const METHODS = {
  "timestamp-query":
    "GPU times are differences of timestamps at both ends of a compute pass: one pass a token for gpu_ms, one a block " +
    "for block_times_ms, one a dispatch for operations and timeline. More passes cost time themselves, so that the " +
    "sums differ. Browsers round timestamps, often to 0.1 ms.",
  "wall-clock":
    "Without timestamp queries each block was submitted alone and timed by the host's clock, less the time of an " +
    "empty submission. Single dispatches are not timed.",
};

/**
 * Measures the prefill of a made-up prompt and the decoding of tokens behind it; the host's sequence is forgotten.
 *
 * @param {Host} host
 * @param {Metadata} metadata
 * @param {{tokens?: number, promptTokens?: number, signal?: AbortSignal}} [options]
 * @returns {Promise<ProfileReport>}
 * @throws {ContextError}
 */
export async function profile(host, metadata, { tokens = 8, promptTokens = 16, signal } = {}) {
  const count = Math.min(promptTokens, host.program.chunk);
  if (count + Math.max(tokens, WARM_UP) > host.context) {
    throw new ContextError(`${count + tokens} positions do not fit into a context of ${host.context}`);
  }
  const prompt = Uint32Array.from({ length: count }, (_, i) => (STRIDE * i + 1) % host.vocabSize);
  await host.prepare(["prefill", "last", "greedy", "decode"]);
  const clock = new Clock(host);
  await clock.start();
  const prefillStep = {
    passes: ["prefill", "last"],
    tokens: count,
    before: () => {
      host.write("tokens", prompt);
      host.write("state", new Uint32Array([0, count]));
    },
  };
  await clock.alone(prefillStep); // the first of all is slow
  const prefill = await phase(host, clock, prefillStep, 3, signal);
  await clock.alone(prefillStep);
  await host.run("greedy", 1);
  const [first] = new Uint32Array(await host.read("tokens", 4));
  const back = () => {
    host.write("tokens", new Uint32Array([first]));
    host.write("state", new Uint32Array([count, 1]));
  };
  const decodeStep = { passes: ["decode", "greedy"], tokens: 1 };
  const decode = await phase(host, clock, decodeStep, tokens, signal, back);
  back();
  const inFlight = (await clock.inFlight(decodeStep, tokens)) / tokens;
  host.start();
  const memory = host.memory();
  const { device, program } = host;
  return {
    format: "llq-profile",
    version: "1.0",
    block_times_ms: decode.value.block_times_ms,
    memory_usage_mb: digits(Object.values(memory).reduce((sum, bytes) => sum + bytes, 0) / 1e6, 3),
    workgroup_occupancy: digits(occupancy(decode.works, decode.times), 4),
    occupancy: { of: OCCUPANCY, full_workgroups: FULL_WORKGROUPS },
    timing: {
      method: clock.method,
      description: METHODS[clock.method],
      statistic: "median",
      tick_ns: null,
      quantum_ns: null,
      warm_up: WARM_UP,
      discarded: clock.discarded,
      empty_submission_ms: digits(clock.empty),
    },
    decode: {
      tokens,
      repetitions: tokens,
      first_position: count,
      ...decode.value,
      in_flight_ms: digits(inFlight),
      tokens_per_s: digits(1000 / inFlight),
    },
    prefill: {
      tokens: count,
      repetitions: 3,
      first_position: 0,
      ...prefill.value,
      tokens_per_s: digits((1000 * count) / prefill.value.host_ms.wall),
    },
    memory_bytes: memory,
    device: {
      adapter: device.name,
      vendor: device.info?.vendor ?? "",
      architecture: device.info?.architecture ?? "",
      driver: device.info?.description ?? "",
    },
    model: { name: metadata.stem, digest: metadata.digest, layers: metadata.model?.layers.length ?? 0 },
    program: {
      variant: device.variant.name,
      chunk: program.chunk,
      kv_cache: program.kvCache,
      context: host.context,
    },
    software: { runtime: "webgpu-llama4", agent: globalThis.navigator?.userAgent ?? "" },
    date: new Date().toISOString(),
  };
}

/**
 * @param {Host} host
 * @param {Clock} clock
 * @param {Step} step
 * @param {number} repetitions
 * @param {AbortSignal} [signal]
 * @param {() => void} [back] goes back to where the first repetition begins
 */
async function phase(host, clock, step, repetitions, signal, back = () => {}) {
  const works = work(host.program, step.passes, step.tokens);
  /** @template T @param {() => Promise<T>} measure @returns {Promise<T[]>} */
  const repeated = async (measure) => {
    signal?.throwIfAborted();
    back();
    for (let i = 0; i < Math.min(WARM_UP, repetitions); i++) await measure();
    back();
    const found = [];
    for (let i = 0; i < repetitions; i++) found.push(await measure());
    return found;
  };
  const alone = await repeated(() => clock.alone(step));
  const hostTimes = /** @type {HostTimes} */ ({});
  for (const name of /** @type {const} */ (["encode", "submit", "wait", "wall"])) {
    hostTimes[name] = digits(median(alone.map((one) => one[name])) ?? 0);
  }
  const groups = works.map(({ group }) => group);
  const names = groups.filter((group, i) => group !== groups[i - 1]);
  const byRun = typical(await repeated(() => clock.measured(step, groups)));
  /** @type {Map<string, number | null>} */
  const byGroup = new Map();
  names.forEach((name, i) => {
    const before = byGroup.has(name) ? (byGroup.get(name) ?? null) : 0;
    const time = byRun[i];
    byGroup.set(name, before === null || time === null ? null : before + time);
  });
  let gpu = null;
  /** @type {(number | null)[]} */
  let times = works.map(() => null);
  /** @type {object[]} */
  let timeline = [];
  if (clock.method === "timestamp-query") {
    [gpu] = typical(
      await repeated(() =>
        clock.measured(
          step,
          works.map(() => "all"),
        ),
      ),
    );
    const runs = await repeated(() =>
      clock.measured(
        step,
        works.map((_, i) => String(i)),
      ),
    );
    times = typical(runs);
    const sum = (/** @type {Span[]} */ run) => run.reduce((all, span) => all + (span?.duration ?? 0), 0);
    const pictured = [...runs].sort((a, b) => sum(a) - sum(b))[runs.length >> 1];
    timeline = works.flatMap(({ dispatch, operation, layer, workgroups }, i) => {
      const span = pictured[i];
      if (span === null) return [];
      const { label, entry_point } = dispatch;
      const [start_ms, duration_ms] = [digits(span.start), digits(span.duration)];
      return [{ label, operation, entry_point, layer, workgroups, start_ms, duration_ms }];
    });
  }
  const weightBytes = Math.round(works.reduce((sum, one) => sum + one.weightBytes, 0));
  const layers = [...new Set(works.map(({ layer }) => layer).filter((layer) => layer !== null))];
  const known = times.filter((time) => time !== null);
  const value = {
    dispatches: works.length,
    gpu_ms: orNull(gpu),
    host_ms: hostTimes,
    block_times_ms: layers.map((layer) => orNull(byGroup.get(`layers.${layer}`) ?? null)),
    other_times_ms: Object.fromEntries(
      Array.from(byGroup)
        .filter(([name]) => !name.startsWith("layers."))
        .map(([name, time]) => [name, orNull(time)]),
    ),
    dispatches_ms: known.length > 0 ? digits(known.reduce((sum, time) => sum + time, 0)) : null,
    weight_bytes: weightBytes,
    weight_gb_per_s: rate(weightBytes, gpu || hostTimes.wall),
    operations: totals(works, times, "operation"),
    entry_points: totals(works, times, "entry_point"),
    timeline,
  };
  return { works, times, value };
}

/** @typedef {{start: number, duration: number} | null} Span ms since the first of its run; null if it ran backwards */

/** Times steps, by timestamps where the device has them. */
class Clock {
  #host;
  empty = 0;
  discarded = 0;
  /** @type {"timestamp-query" | "wall-clock"} */
  method;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
    this.method = host.device.gpu.features.has("timestamp-query") ? "timestamp-query" : "wall-clock";
  }

  /** Measures an empty submission. */
  async start() {
    const { gpu } = this.#host.device;
    const times = [];
    for (let i = 0; i < 5; i++) {
      const begin = performance.now();
      gpu.queue.submit([gpu.createCommandEncoder().finish()]);
      await gpu.queue.onSubmittedWorkDone();
      times.push(performance.now() - begin);
    }
    this.empty = median(times) ?? 0;
  }

  /** @param {Step} step @returns {Promise<HostTimes>} the host's times of a step with nothing else in flight */
  async alone(step) {
    const { gpu } = this.#host.device;
    const begin = performance.now();
    step.before?.();
    const encoder = gpu.createCommandEncoder();
    this.#host.encode(encoder, step.passes, step.tokens);
    const buffer = encoder.finish();
    const encoded = performance.now();
    gpu.queue.submit([buffer]);
    const submitted = performance.now();
    await gpu.queue.onSubmittedWorkDone();
    this.#host.device.check();
    const end = performance.now();
    return { encode: encoded - begin, submit: submitted - encoded, wait: end - submitted, wall: end - begin };
  }

  /** @param {Step} step @param {number} times @returns {Promise<number>} ms of all of them, submitted at once */
  async inFlight(step, times) {
    const { gpu } = this.#host.device;
    const begin = performance.now();
    for (let i = 0; i < times; i++) {
      const encoder = gpu.createCommandEncoder();
      this.#host.encode(encoder, step.passes, step.tokens);
      gpu.queue.submit([encoder.finish()]);
    }
    await gpu.queue.onSubmittedWorkDone();
    this.#host.device.check();
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
    const dispatches = step.passes.flatMap((name) => this.#host.prepared(name));
    /** @type {Prepared[][]} */
    const runs = [];
    dispatches.forEach((one, i) => {
      if (i > 0 && groups[i] === groups[i - 1]) runs[runs.length - 1].push(one);
      else runs.push([one]);
    });
    step.before?.();
    return this.method === "timestamp-query"
      ? this.#stamped(runs, step.tokens)
      : this.#watched(runs, step.tokens);
  }

  /** @param {Prepared[][]} runs @param {number} tokens @returns {Promise<Span[]>} */
  async #stamped(runs, tokens) {
    const { gpu } = this.#host.device;
    const each = 2048; // a query set holds 4096
    /** @type {bigint[]} */
    const stamps = [];
    for (let begin = 0; begin < runs.length; begin += each) {
      const some = runs.slice(begin, begin + each);
      const querySet = gpu.createQuerySet({ type: "timestamp", count: 2 * some.length });
      const size = 16 * some.length;
      const resolved = gpu.createBuffer({ size, usage: USAGE.QUERY_RESOLVE | USAGE.COPY_SRC });
      const staging = gpu.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
      const encoder = gpu.createCommandEncoder();
      some.forEach((run, i) => {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
        });
        encode(pass, run, tokens);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, 2 * some.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      gpu.queue.submit([encoder.finish()]);
      try {
        await staging.mapAsync(1);
        stamps.push(...new BigUint64Array(staging.getMappedRange()));
      } catch (cause) {
        throw this.#host.device.failure("timestamps", cause);
      } finally {
        for (const one of [querySet, resolved, staging]) one.destroy();
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

  /** @param {Prepared[][]} runs @param {number} tokens @returns {Promise<Span[]>} */
  async #watched(runs, tokens) {
    const { gpu } = this.#host.device;
    const spans = [];
    let start = 0;
    for (const run of runs) {
      const begin = performance.now();
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass, run, tokens);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
      await gpu.queue.onSubmittedWorkDone();
      const duration = Math.max(0, performance.now() - begin - this.empty);
      spans.push({ start, duration });
      start += duration;
    }
    this.#host.device.check();
    return spans;
  }
}

/** @param {Span[][]} runs @returns {(number | null)[]} the median durations */
function typical(runs) {
  return runs[0].map((_, i) => median(runs.flatMap((run) => run[i]?.duration ?? [])));
}

/** @param {number[]} values @returns {number | null} */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return null;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {Work[]} works
 * @param {(number | null)[]} times
 * @param {"operation" | "entry_point"} member
 */
function totals(works, times, member) {
  /** @type {Map<string, number[]>} */
  const kinds = new Map();
  const nameOf = (/** @type {Work} */ one) =>
    member === "operation" ? one.operation : one.dispatch.entry_point;
  works.forEach((one, i) => kinds.set(nameOf(one), [...(kinds.get(nameOf(one)) ?? []), i]));
  const whole = times.reduce((/** @type {number} */ sum, time) => sum + (time ?? 0), 0);
  const rows = Array.from(kinds, ([name, places]) => {
    const known = places.every((i) => times[i] !== null);
    const ms = known ? places.reduce((sum, i) => sum + (times[i] ?? 0), 0) : null;
    const weightBytes = Math.round(places.reduce((sum, i) => sum + works[i].weightBytes, 0));
    const others = places.map((i) =>
      member === "operation" ? works[i].dispatch.entry_point : works[i].operation,
    );
    return {
      [member]: name,
      [member === "operation" ? "entry_points" : "operations"]: [...new Set(others)].sort(),
      dispatches: places.length,
      workgroups: places.reduce((sum, i) => sum + works[i].workgroups, 0),
      ms: orNull(ms),
      share: ms !== null && whole > 0 ? digits(ms / whole) : null,
      weight_bytes: weightBytes,
      weight_gb_per_s: ms === null ? null : rate(weightBytes, ms),
    };
  });
  return rows.sort((a, b) => (b.ms ?? 0) - (a.ms ?? 0));
}

/** @param {number} bytes @param {number} ms */
function rate(bytes, ms) {
  return ms > 0 && bytes > 0 ? digits(bytes / ms / 1e6) : null;
}

/** @param {number | null} value */
function orNull(value) {
  return value === null ? null : digits(value);
}

/** @param {number} value @param {number} [count] */
function digits(value, count = 6) {
  return Number(value.toFixed(count));
}
