/**
 * Calls of `WebGPULlama4`, as a request of the suite lists them, and what was seen (spec: Runtime API).
 *
 * Nothing here knows how the interface is implemented, so any implementation may be asked through it:
 * `scenario(WebGPULlama4, request)` is the whole answer to `api`.
 *
 * @module harness/scenario
 */

/** @typedef {Record<string, any>} Step a call, as conformance/runtimes/protocol/api.request.schema.json has it */
/** @typedef {Record<string, any>} Seen what came of it, as api.response.schema.json has it */

const SETTLE_MS = 300; // after a failure: whatever is still running shows itself
const NO_PROGRESS_MS = 15_000; // where no progress comes, a load is aborted after so long
const MOST_EVENTS = 200;

/** @type {{name: string, model: any, devices: GPUDevice[]} | null} the model that requests share */
let kept = null;

/**
 * Does the steps one after another, with the model that the last `load` gave.
 *
 * @param {any} api the object `WebGPULlama4`
 * @param {{url: string, steps: Step[]}} request url: what addresses in steps are relative to
 * @param {GPU} [gpu] navigator.gpu unless given
 * @returns {Promise<{observed: Seen[]}>}
 */
export async function scenario(api, { url, steps }, gpu = navigator.gpu) {
  const base = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  const play = new Play(api, base, gpu);
  const observed = [];
  try {
    for (const step of steps) observed.push(await play.step(step));
  } finally {
    play.end();
  }
  return { observed };
}

/** One scenario: the interface, the model, and the devices that it was given. */
class Play {
  #api;
  #base;
  #gpu;
  /** @type {any} */
  #model = null;
  /** @type {GPUDevice[]} */
  #devices = [];
  /** What the model is shared by, if it is. */
  #share = "";

  /** @param {any} api @param {URL} base @param {GPU} gpu */
  constructor(api, base, gpu) {
    this.#api = api;
    this.#base = base;
    this.#gpu = watched(gpu, this.#devices);
  }

  /** @param {Step} step @returns {Promise<Seen>} */
  step(step) {
    switch (step.do) {
      case "load":
        if (step.share !== undefined && kept?.name === step.share) return this.#take(kept);
        return this.#load(step);
      case "tokenizer":
        return this.#tokenizer(step);
      case "together":
        return this.#together(step.steps);
      default:
        return this.#call(step, new Signal(step.abort));
    }
  }

  /** Lets everything go. */
  end() {
    if (this.#share !== "") {
      kept = { name: this.#share, model: this.#model, devices: this.#devices };
    } else {
      release(this.#model);
    }
    this.#share = "";
    this.#model = null;
  }

  /** Uses the model of an earlier request. @param {NonNullable<typeof kept>} found @returns {Promise<Seen>} */
  async #take({ name, model, devices }) {
    this.end();
    [this.#model, this.#devices, this.#share] = [model, devices, name];
    return { shared: true };
  }

  /** @param {Step} step @returns {Promise<Seen>} */
  async #load({ url, options = {}, abort, share = "" }) {
    this.end();
    const signal = new Signal(abort);
    /** @type {Seen[]} */
    const progress = [];
    let settled = false;
    let late = 0;
    const onProgress = (/** @type {any} */ { phase, loaded, total }) => {
      if (settled) late++;
      else if (progress.length < MOST_EVENTS)
        progress.push({ phase: String(phase), loaded: Number(loaded), total: Number(total) });
      if (phase === "weights") signal.soon("loading", 100);
    };
    signal.soon("loading", NO_PROGRESS_MS);
    const seen = await told(signal, async () => {
      this.#model = await this.#api.loadModel(new URL(url, this.#base).href, {
        cache: false,
        device: this.#gpu,
        ...options,
        onProgress,
        signal: signal.given,
      });
      return { contextLength: this.#model.contextLength };
    });
    settled = true;
    if (seen.error) await pause(SETTLE_MS);
    else if (share !== "") {
      release(kept?.model);
      this.#share = share;
    }
    return { ...seen, progress, late };
  }

  /** @param {Step} step @returns {Promise<Seen>} */
  async #tokenizer({ url, options = {}, texts = [], use = false, abort }) {
    const signal = new Signal(abort);
    const seen = await told(signal, async () => {
      const found = await this.#api.createTokenizer(new URL(url, this.#base).href, {
        ...options,
        signal: signal.given,
      });
      if (use) this.#model.tokenizer = found;
      const ids = texts.map((/** @type {string} */ text) => Array.from(found.encode(text)));
      return { ids, decoded: ids.map((/** @type {number[]} */ one) => found.decode(one)) };
    });
    if (seen.error) await pause(SETTLE_MS);
    return seen;
  }

  /** Makes calls without waiting for any, and tells in which order they were settled. @param {Step[]} steps */
  async #together(steps) {
    /** @type {number[]} */
    const order = [];
    const signals = steps.map(({ abort }) => new Signal(abort));
    const calls = steps.map((step, index) =>
      this.#call(step, signals[index]).finally(() => order.push(index)),
    );
    await pause(0);
    for (const signal of signals) signal.now("waiting");
    return { calls: await Promise.all(calls), order };
  }

  /** @param {Step} step @param {Signal} signal @returns {Promise<Seen>} */
  async #call(step, signal) {
    const model = this.#model;
    if (model === null)
      return { error: { name: "", code: null, rule: null, message: "there is no model", reason: false } };
    const options = { ...step.options, ...(signal.given && { signal: signal.given }) };
    switch (step.do) {
      case "infer":
        return told(signal, async () => whole(await model.infer(step.prompt, options)));
      case "stream":
        return this.#stream(step, options, signal);
      case "profile":
        return told(signal, async () => ({
          report: JSON.parse(JSON.stringify(await model.profile(options))),
        }));
      case "dispose":
        return told(signal, async () => {
          await model.dispose();
          return {};
        });
      default:
        throw new Error(`no step is called ${step.do}`);
    }
  }

  /** @param {Step} step @param {object} options @param {Signal} signal @returns {Promise<Seen>} */
  async #stream({ prompt, leave, lose }, options, signal) {
    /** @type {string[]} */
    const pieces = [];
    /** @type {any} */
    let stream = null;
    const seen = await told(signal, async () => {
      stream = this.#model.stream(prompt, options);
      for await (const piece of stream) {
        pieces.push(piece);
        if (pieces.length === leave) break;
        if (pieces.length === lose) this.#devices.at(-1)?.destroy();
        signal.after(pieces.length);
      }
      return {};
    });
    const torn = pieces.flatMap((piece, index) => (wellFormed(piece) ? [] : [index]));
    const { promptTokens = null, completionTokens = null, totalTokens = null } = stream?.usage ?? {};
    return {
      ...seen,
      pieces: pieces.map(mended),
      torn,
      text: mended(pieces.join("")),
      usage: { promptTokens, completionTokens, totalTokens },
      finishReason: stream?.finishReason ?? null,
    };
  }
}

/** Lets a model go. @param {any} model */
function release(model) {
  try {
    model?.dispose();
  } catch {
    // an implementation that fails here has been asked about it
  }
}

/** A signal, aborted when a step says: "before", "loading", "waiting", or after so many pieces. */
class Signal {
  #controller = new AbortController();
  #when;
  reason = new Error("the caller changed its mind");

  /** @param {string | number | undefined} when */
  constructor(when) {
    this.#when = when;
    this.now("before");
  }

  /** What is passed on; nothing where no step says that anything is aborted. */
  get given() {
    return this.#when === undefined ? undefined : this.#controller.signal;
  }

  /** @param {string | number} when */
  now(when) {
    if (this.#when === when) this.#controller.abort(this.reason);
  }

  /** @param {string} when @param {number} ms */
  soon(when, ms) {
    if (this.#when === when) setTimeout(() => this.now(when), ms);
  }

  /** @param {number} pieces that have come */
  after(pieces) {
    this.now(pieces);
  }
}

/**
 * Returns what an action returns, or `error`, and whether that is the very reason of the signal.
 *
 * @param {Signal} signal
 * @param {() => Promise<Seen>} action
 * @returns {Promise<Seen>}
 */
async function told(signal, action) {
  try {
    return await action();
  } catch (error) {
    const { name, code, rule, message } = /** @type {any} */ (error ?? {});
    const text = (/** @type {unknown} */ value) =>
      typeof value === "string" ? mended(value).slice(0, 300) : null;
    return {
      error: {
        name: text(name) ?? "",
        code: text(code),
        rule: rule === undefined ? "undefined" : text(rule),
        message: text(message) ?? "",
        reason: error === signal.reason,
      },
    };
  }
}

/** @param {unknown} text @returns {Seen} */
function whole(text) {
  if (typeof text !== "string") throw new Error(`infer resolved to ${typeof text}, and not to a text`);
  return { text: mended(text) };
}

/** Whether a text holds no half of a surrogate pair. @param {string} text */
function wellFormed(text) {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** A text that JSON can carry: `?` for halves of surrogate pairs. @param {string} text */
function mended(text) {
  return text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "?");
}

/**
 * Returns a GPU object that keeps the devices that it gives, so that a step can lose one.
 *
 * @param {GPU} gpu
 * @param {GPUDevice[]} devices
 * @returns {GPU}
 */
function watched(gpu, devices) {
  return /** @type {any} */ ({
    get wgslLanguageFeatures() {
      return gpu.wgslLanguageFeatures;
    },
    getPreferredCanvasFormat: () => gpu.getPreferredCanvasFormat(),
    async requestAdapter(/** @type {GPURequestAdapterOptions} */ options) {
      const adapter = await gpu.requestAdapter(options);
      return (
        adapter && {
          features: adapter.features,
          limits: adapter.limits,
          info: adapter.info,
          async requestDevice(/** @type {GPUDeviceDescriptor} */ descriptor) {
            const device = await adapter.requestDevice(descriptor);
            devices.push(device);
            return device;
          },
        }
      );
    },
  });
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
