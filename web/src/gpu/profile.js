/**
 * The time of a token, layer by layer: the article's profile(), as spec/schema/profile.schema.json specifies
 * it.
 */

import { ContextError } from "../errors.js";
import { Clock } from "./clock.js";
import { digits, median } from "./statistics.js";
import { FULL_WORKGROUPS, OCCUPANCY, occupancy, work } from "./workload.js";

/** @typedef {import("./executor.js").Executor} Executor */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("./clock.js").HostTimes} HostTimes */
/** @typedef {import("./clock.js").Span} Span */
/** @typedef {import("./clock.js").Step} Step */
/** @typedef {import("./workload.js").Work} Work */
/**
 * @typedef {Record<string, any> & {block_times_ms: (number | null)[], memory_usage_mb: number,
 *   workgroup_occupancy: number}} ProfileReport
 */

const WARM_UP = 2;
const STRIDE = 7919; // a prime: the tokens of the prompt are spread over the vocabulary
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
 * Measures the prefill of an artificial prompt and the decode steps after it; the executor's sequence is lost.
 *
 * @param {Executor} executor
 * @param {Metadata} metadata
 * @param {{tokens?: number, promptTokens?: number, signal?: AbortSignal}} [options]
 * @returns {Promise<ProfileReport>}
 * @throws {ContextError}
 */
export async function profile(executor, metadata, { tokens = 8, promptTokens = 16, signal } = {}) {
  const count = Math.min(promptTokens, executor.program.chunk);
  if (count + Math.max(tokens, WARM_UP) > executor.context) {
    throw new ContextError(
      `${count + tokens} positions do not fit into a context of ${executor.context}: load the model with a larger contextLength`,
    );
  }
  const prompt = Uint32Array.from({ length: count }, (_, i) => (STRIDE * i + 1) % executor.vocabSize);
  await executor.prepare(["prefill", "last", "greedy", "decode"]);
  const clock = new Clock(executor);
  await clock.start();
  const prefillStep = {
    passes: ["prefill", "last"],
    tokens: count,
    before: () => {
      executor.write("tokens", prompt);
      executor.write("state", new Uint32Array([0, count]));
    },
  };
  await clock.alone(prefillStep); // the first of all is slow
  const prefill = await phase(executor, clock, prefillStep, 3, signal);
  await clock.alone(prefillStep);
  await executor.run("greedy", 1);
  const [first] = new Uint32Array(await executor.read("tokens", 4));
  const rewind = () => {
    executor.write("tokens", new Uint32Array([first]));
    executor.write("state", new Uint32Array([count, 1]));
  };
  const decodeStep = { passes: ["decode", "greedy"], tokens: 1 };
  const decode = await phase(executor, clock, decodeStep, tokens, signal, rewind);
  rewind();
  const inFlight = (await clock.inFlight(decodeStep, tokens)) / tokens;
  executor.start();
  const memory = executor.memory();
  const { device, program } = executor;
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
      context: executor.context,
    },
    software: { runtime: "webgpu-llama4", agent: globalThis.navigator?.userAgent ?? "" },
    date: new Date().toISOString(),
  };
}

/**
 * @param {Executor} executor
 * @param {Clock} clock
 * @param {Step} step
 * @param {number} repetitions
 * @param {AbortSignal} [signal]
 * @param {() => void} [rewind] goes back to where the first repetition begins
 */
async function phase(executor, clock, step, repetitions, signal, rewind = () => {}) {
  const works = work(executor.program, step.passes, step.tokens);
  /** @template T @param {() => Promise<T>} measure @returns {Promise<T[]>} */
  const repeated = async (measure) => {
    signal?.throwIfAborted();
    rewind();
    for (let i = 0; i < Math.min(WARM_UP, repetitions); i++) await measure();
    rewind();
    const measurements = [];
    for (let i = 0; i < repetitions; i++) measurements.push(await measure());
    return measurements;
  };
  const hostRuns = await repeated(() => clock.alone(step));
  const hostTimes = /** @type {HostTimes} */ ({});
  for (const name of /** @type {const} */ (["encode", "submit", "wait", "wall"])) {
    hostTimes[name] = digits(median(hostRuns.map((run) => run[name])) ?? 0);
  }
  const groups = works.map(({ group }) => group);
  const names = groups.filter((group, i) => group !== groups[i - 1]);
  const byRun = typical(await repeated(() => clock.measured(step, groups)));
  /** @type {Map<string, number | null>} */
  const byGroup = new Map();
  for (const [i, name] of names.entries()) {
    const before = byGroup.has(name) ? (byGroup.get(name) ?? null) : 0;
    const time = byRun[i];
    byGroup.set(name, before === null || time === null ? null : before + time);
  }
  let gpu = null;
  /** @type {(number | null)[]} */
  let times = works.map(() => null);
  /** @type {object[]} */
  let timeline = [];
  if (clock.method === "timestamp-query") {
    const together = works.map(() => "all");
    [gpu] = typical(await repeated(() => clock.measured(step, together)));
    const apart = works.map((_, index) => String(index));
    const runs = await repeated(() => clock.measured(step, apart));
    times = typical(runs);
    const sum = (/** @type {Span[]} */ run) => run.reduce((all, span) => all + (span?.duration ?? 0), 0);
    const typicalRun = [...runs].sort((a, b) => sum(a) - sum(b))[runs.length >> 1];
    timeline = works.flatMap(({ dispatch, operation, layer, workgroups }, i) => {
      const span = typicalRun[i];
      if (span === null) return [];
      const { label, entry_point } = dispatch;
      const [start_ms, duration_ms] = [digits(span.start), digits(span.duration)];
      return [{ label, operation, entry_point, layer, workgroups, start_ms, duration_ms }];
    });
  }
  const weightBytes = Math.round(works.reduce((sum, { weightBytes: bytes }) => sum + bytes, 0));
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

/** @param {Span[][]} runs @returns {(number | null)[]} the median durations */
function typical(runs) {
  return runs[0].map((_, i) => median(runs.flatMap((run) => run[i]?.duration ?? [])));
}

/**
 * @param {Work[]} works
 * @param {(number | null)[]} times
 * @param {"operation" | "entry_point"} member
 */
function totals(works, times, member) {
  /** @type {Map<string, number[]>} */
  const kinds = new Map();
  for (const [index, { operation, dispatch }] of works.entries()) {
    const name = member === "operation" ? operation : dispatch.entry_point;
    kinds.set(name, [...(kinds.get(name) ?? []), index]);
  }
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
