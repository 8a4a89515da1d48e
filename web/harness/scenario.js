/**
 * Calls of `WebGPULlama4`, as a request of the suite lists them, and what came of them (spec: Runtime API).
 *
 * Nothing here depends on an implementation of the interface. Therefore it serves for all implementations:
 * `scenario(WebGPULlama4, request)` is the whole response to `api`.
 *
 * @module harness/scenario
 */

import { poolOf } from "./device_pool.js";
import { logprobsOf } from "./log_probabilities.js";
import { MaskHook } from "./mask_hook.js";
import { CallSignal, nothing, observe, textOf, wellFormed } from "./observation.js";

/** @typedef {import("./interface.js").Interface} Interface */
/** @typedef {import("./interface.js").Model} Model */
/** @typedef {import("./interface.js").Prompt} Prompt */
/** @typedef {import("./interface.js").Session} Session */
/** @typedef {import("./interface.js").Stream} Stream */
/** @typedef {import("./observation.js").Moment} Moment */
/** @typedef {import("./observation.js").Observation} Observation */
/**
 * @typedef {object} LoadStep
 * @property {"load"} do
 * @property {string | string[]} url
 * @property {object} [options]
 * @property {Moment} [abort]
 * @property {string} [share]
 * @property {boolean} [worker]
 */
/**
 * @typedef {object} TokenizerStep
 * @property {"tokenizer"} do
 * @property {string} url
 * @property {object} [options]
 * @property {string[]} [texts]
 * @property {boolean} [use]
 * @property {Moment} [abort]
 */
/** @typedef {import("./mask_hook.js").Masks} Masks */
/**
 * @typedef {object} InferStep
 * @property {"infer"} do
 * @property {Prompt} prompt
 * @property {string} [session] name of the session that is asked, in place of the model
 * @property {object} [options]
 * @property {Masks} [masks]
 * @property {Moment} [abort]
 */
/**
 * @typedef {object} StreamStep
 * @property {"stream"} do
 * @property {Prompt} prompt
 * @property {string} [session] name of the session that is asked, in place of the model
 * @property {object} [options]
 * @property {Masks} [masks]
 * @property {Moment} [abort]
 * @property {number} [leave] number of pieces after which the consumer leaves
 * @property {number} [lose] number of pieces after which the device is lost
 * @property {boolean} [again] whether the stream is read again after its end
 */
/**
 * @typedef {{do: "profile" | "dispose", session?: string, options?: object, abort?: Moment}} ModelStep dispose: of the
 *   model or a session
 */
/** @typedef {{do: "session", as: string, options?: object, abort?: Moment}} SessionStep makes a session */
/** @typedef {{do: "fork", session: string, as: string, options?: object, abort?: Moment}} ForkStep */
/** @typedef {{do: "append", session: string, text: string, options?: object, abort?: Moment}} AppendStep */
/** @typedef {{do: "truncate", session: string, length: number, options?: object, abort?: Moment}} TruncateStep */
/** @typedef {SessionStep | ForkStep | AppendStep | TruncateStep} SequenceStep */
/** @typedef {InferStep | StreamStep | ModelStep | SequenceStep} Call */
/** @typedef {{do: "together", steps: Call[]}} TogetherStep */
/**
 * @typedef {LoadStep | TokenizerStep | Call | TogetherStep} Step as
 *   conformance/runtimes/protocol/api.request.schema.json has it
 */
/** @typedef {{name: string, model: Model | null, devices: GPUDevice[]}} SharedModel */

/** Wait after a failure, in ms: whatever still runs shows itself. */
const SETTLE_MS = 300;
/** Time without progress after which a load is aborted, in ms. */
const NO_PROGRESS_MS = 15_000;
/** Time after the first weights after which a load is aborted, in ms. */
const LOADING_MS = 100;
const MAX_EVENTS = 200;

/** @type {SharedModel | null} the model that requests share */
let sharedModel = null;

/**
 * Performs steps one after another, with the model of the last `load`.
 *
 * @param {Interface} api the object `WebGPULlama4`
 * @param {{url: string, steps: Step[]}} request url: base of the addresses in steps
 * @param {GPU} [gpu] navigator.gpu by default
 * @returns {Promise<{observed: Observation[]}>}
 */
export async function scenario(api, { url, steps }, gpu = navigator.gpu) {
  const base = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  const run = new ScenarioRun(api, base, gpu);
  const observed = [];
  try {
    for (const step of steps) observed.push(await run.step(step));
  } finally {
    run.end();
  }
  return { observed };
}

/** One scenario: the interface, the model, and the devices that the interface was given. */
class ScenarioRun {
  #api;
  #base;
  #gpu;
  /** @type {Model | null} */
  #model = null;
  /** @type {GPUDevice[]} */
  #devices = [];
  /** The name under which the model is shared, if it is. */
  #share = "";
  /** @type {Map<string, Session>} */
  #sessions = new Map();

  /** @param {Interface} api @param {URL} base @param {GPU} gpu */
  constructor(api, base, gpu) {
    this.#api = api;
    this.#base = base;
    this.#gpu = poolOf(gpu).gpu(this.#devices);
  }

  /** @param {Step} step @returns {Promise<Observation>} */
  step(step) {
    switch (step.do) {
      case "load":
        if (step.share !== undefined && sharedModel?.name === step.share) return this.#adopt(sharedModel);
        return this.#load(step);
      case "tokenizer":
        return this.#tokenizer(step);
      case "together":
        return this.#together(step.steps);
      default:
        return this.#call(step, new CallSignal(step.abort));
    }
  }

  /** Frees the model, unless it is shared. */
  end() {
    for (const session of this.#sessions.values()) release(session);
    this.#sessions.clear();
    if (this.#share !== "") sharedModel = { name: this.#share, model: this.#model, devices: this.#devices };
    else release(this.#model);
    this.#share = "";
    this.#model = null;
  }

  /** Uses the model of an earlier request. @param {SharedModel} shared @returns {Promise<Observation>} */
  async #adopt({ name, model, devices }) {
    this.end();
    [this.#model, this.#devices, this.#share] = [model, devices, name];
    return { shared: true };
  }

  /** @param {LoadStep} step @returns {Promise<Observation>} */
  async #load({ url, options = {}, abort, share = "", worker = false }) {
    this.end();
    release(sharedModel?.model ?? null); // its device is used again
    sharedModel = null;
    const signal = new CallSignal(abort);
    const events = new ProgressEvents(signal);
    signal.soon("loading", NO_PROGRESS_MS);
    const observation = await observe(signal, async () => {
      const addresses = [url].flat().map((address) => absolute(address, this.#base));
      const load = worker ? this.#api.inWorker : this.#api.loadModel;
      const model = await load(Array.isArray(url) ? addresses : addresses[0], {
        cache: false,
        device: this.#gpu,
        ...options,
        onProgress: (progress) => events.add(progress),
        signal: signal.passed,
      });
      this.#model = model;
      return { contextLength: model.contextLength };
    });
    events.settled = true;
    if (observation.error) await pause(SETTLE_MS);
    else this.#share = share;
    return { ...observation, progress: events.progress, late: events.late };
  }

  /** @param {TokenizerStep} step @returns {Promise<Observation>} */
  async #tokenizer({ url, options = {}, texts = [], use = false, abort }) {
    const signal = new CallSignal(abort);
    const observation = await observe(signal, async () => {
      const address = new URL(url, this.#base).href;
      const tokenizer = await this.#api.createTokenizer(address, { ...options, signal: signal.passed });
      if (use) {
        if (this.#model === null) throw new Error("there is no model");
        this.#model.tokenizer = tokenizer;
      }
      const ids = await Promise.all(texts.map(async (text) => Array.from(await tokenizer.encode(text))));
      return { ids, decoded: await Promise.all(ids.map((ofText) => tokenizer.decode(ofText))) };
    });
    if (observation.error) await pause(SETTLE_MS);
    return observation;
  }

  /**
   * Makes calls without waiting for any, and records the order in which they are settled.
   *
   * @param {Call[]} steps
   */
  async #together(steps) {
    /** @type {number[]} */
    const order = [];
    const signals = steps.map(({ abort }) => new CallSignal(abort));
    const calls = steps.map((step, index) =>
      this.#call(step, signals[index]).finally(() => order.push(index)),
    );
    await pause(0);
    for (const signal of signals) signal.now("waiting");
    return { calls: await Promise.all(calls), order };
  }

  /** @param {Call} step @param {CallSignal} signal @returns {Promise<Observation>} */
  async #call(step, signal) {
    const model = this.#model;
    if (model === null) {
      return { error: { name: "", code: null, rule: null, message: "there is no model", reason: false } };
    }
    const hook = "masks" in step && step.masks !== undefined ? new MaskHook(step.masks) : null;
    const options = {
      ...step.options,
      ...(hook && { mask: hook.mask }),
      ...(signal.passed && { signal: signal.passed }),
    };
    const observation = await this.#dispatch(model, step, options, signal);
    return hook === null ? observation : { ...observation, masked: hook.calls };
  }

  /**
   * @param {Model} model
   * @param {Call} step
   * @param {object} options
   * @param {CallSignal} signal
   * @returns {Promise<Observation>}
   */
  async #dispatch(model, step, options, signal) {
    switch (step.do) {
      case "session":
        return observe(signal, async () => this.#named(step.as, await model.createSession(options)));
      case "profile":
        return observe(signal, async () => ({
          report: JSON.parse(JSON.stringify(await model.profile(options))),
        }));
      default: {
        const session = "session" in step ? this.#sessions.get(step.session ?? "") : undefined;
        if (session === undefined) return this.#answer(model, step, options, signal);
        const observation = await this.#answer(session, step, options, signal);
        return { ...observation, length: session.length };
      }
    }
  }

  /** Keeps a session by name. @param {string} name @param {Session} session @returns {Observation} */
  #named(name, session) {
    this.#sessions.set(name, session);
    return { length: session.length, contextLength: session.contextLength, bytes: session.bytes };
  }

  /**
   * Makes a call of a model or a session.
   *
   * @param {Model | Session} callee
   * @param {Call} step
   * @param {object} options
   * @param {CallSignal} signal
   * @returns {Promise<Observation>}
   */
  async #answer(callee, step, options, signal) {
    const session = /** @type {Session} */ (callee); // of a model, only calls that both have
    switch (step.do) {
      case "infer":
        return observe(signal, async () => textOf(await session.infer(step.prompt, options)));
      case "stream":
        return this.#stream(session, step, options, signal);
      case "append":
        return observe(signal, async () => nothing(await session.append(step.text, options)));
      case "truncate":
        return observe(signal, async () => nothing(await session.truncate(step.length, options)));
      case "fork":
        return observe(signal, async () => this.#named(step.as, await session.fork(options)));
      case "dispose":
        return observe(signal, async () => nothing(await callee.dispose()));
      default:
        throw new Error(`there is no step ${JSON.stringify(step)}`);
    }
  }

  /**
   * @param {Session} callee a session or a model
   * @param {StreamStep} step
   * @param {object} options
   * @param {CallSignal} signal
   * @returns {Promise<Observation>}
   */
  async #stream(callee, { prompt, leave, lose, again }, options, signal) {
    /** @type {string[]} */
    const pieces = [];
    /** @type {{stream: Stream | null}} */
    const begun = { stream: null };
    const observation = await observe(signal, async () => {
      begun.stream = callee.stream(prompt, options);
      for await (const piece of begun.stream) {
        pieces.push(piece);
        if (pieces.length === leave) break;
        if (pieces.length === lose) this.#devices.at(-1)?.destroy();
        signal.now(pieces.length);
      }
      return {};
    });
    const second = again && begun.stream !== null ? await readAgain(begun.stream) : {};
    const torn = pieces.flatMap((piece, index) => (piece.isWellFormed() ? [] : [index]));
    const usage = begun.stream?.usage;
    return {
      ...observation,
      pieces: pieces.map(wellFormed),
      torn,
      text: wellFormed(pieces.join("")),
      usage: {
        promptTokens: usage?.promptTokens ?? null,
        completionTokens: usage?.completionTokens ?? null,
        totalTokens: usage?.totalTokens ?? null,
      },
      finishReason: begun.stream?.finishReason ?? null,
      logprobs: logprobsOf(begun.stream?.logprobs),
      ...second,
    };
  }
}

/**
 * Reads a stream that has ended: `again` is the code of the error, null if there is none.
 *
 * @param {Stream} stream
 * @returns {Promise<Observation>}
 */
async function readAgain(stream) {
  const { error } = await observe(new CallSignal(undefined), async () => {
    for await (const _ of stream);
    return {};
  });
  return { again: error?.code ?? null };
}

/** The progress that a load reports. */
class ProgressEvents {
  #signal;
  /** @type {{phase: string, loaded: number, total: number}[]} */
  progress = [];
  /** Whether the load has ended. */
  settled = false;
  /** Number of events after the end. */
  late = 0;

  /** @param {CallSignal} signal */
  constructor(signal) {
    this.#signal = signal;
  }

  /** @param {{phase: string, loaded: number, total: number}} event */
  add({ phase, loaded, total }) {
    if (this.settled) this.late++;
    else if (this.progress.length < MAX_EVENTS) {
      this.progress.push({ phase: String(phase), loaded: Number(loaded), total: Number(total) });
    }
    if (phase === "weights") this.#signal.soon("loading", LOADING_MS);
  }
}

/** Frees a model or a session. @param {Model | Session | null} callee */
function release(callee) {
  try {
    callee?.dispose();
  } catch {
    // a step has checked how the implementation fails here
  }
}

/** Returns an absolute address; addresses of the hub are not relative. @param {string} address @param {URL} base */
function absolute(address, base) {
  return address.startsWith("hf:") ? address : new URL(address, base).href;
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
