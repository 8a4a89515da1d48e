/** A package on a device, and the answers that it gives (spec: Runtime API). */

import { DisposedError, InputError, TokenizerError } from "../errors.js";
import { isSoftware } from "../gpu/device.js";
import { profile } from "../gpu/profile.js";
import { TextStream } from "../text/text_stream.js";
import { inferSettings } from "./infer_options.js";
import { optionsOf } from "./options.js";

/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../gpu/profile.js").ProfileReport} ProfileReport */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./infer_options.js").InferOptions} InferOptions */
/** @typedef {import("../text/tokenizer.js").Message} Message */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
/**
 * @typedef {object} DeviceReport
 * @property {string} name that the adapter gives itself
 * @property {string} vendor
 * @property {string} architecture
 * @property {string} variant of the module that is executed
 * @property {boolean} software whether the adapter computes on the CPU, as far as it is known
 */

/** A model. One call is answered at a time; others wait for it. */
export class Model {
  #session;
  #gone = new AbortController();
  /** @type {Promise<unknown>} what is being answered */
  #busy = Promise.resolve();

  /**
   * Use `WebGPULlama4.loadModel`.
   *
   * @param {Session} session
   * @param {Metadata} metadata
   * @param {Tokenizer | null} tokenizer
   */
  constructor(session, metadata, tokenizer) {
    this.#session = session;
    this.metadata = metadata;
    /** @type {Tokenizer | null} the package's; another may take its place */
    this.tokenizer = tokenizer;
  }

  /**
   * Answers a prompt, which is continued as it is, or chat messages.
   *
   * @param {string | readonly Message[]} prompt
   * @param {InferOptions} [options]
   * @returns {Promise<string>} the text after the prompt
   */
  async infer(prompt, options) {
    let text = "";
    for await (const piece of this.stream(prompt, options)) text += piece;
    return text;
  }

  /**
   * Answers as `infer` does, in pieces as they come.
   *
   * @param {string | readonly Message[]} prompt
   * @param {InferOptions} [options]
   * @returns {TextStream}
   */
  stream(prompt, options) {
    const { maxTokens, sampling, stops, signal } = inferSettings(optionsOf(options));
    checkPrompt(prompt);
    const model = this;
    return new TextStream(signal, async function* answer(stream) {
      const release = await model.#turn(signal);
      try {
        const { tokenizer } = model;
        if (tokenizer === null) {
          throw new TokenizerError(
            "this package has no tokenizer: assign a result of createTokenizer to model.tokenizer",
            {
              code: "no-tokenizer",
            },
          );
        }
        const ids =
          typeof prompt === "string" ? tokenizer.encode(prompt) : await tokenizer.encodeChat(prompt);
        if (ids.length === 0) throw new InputError("the prompt has no tokens: expected at least one");
        const usage = { promptTokens: ids.length, completionTokens: 0, totalTokens: ids.length };
        stream.usage = usage;
        const pieces = tokenizer.pieces();
        const eos = model.metadata.tokenizer?.eos_token_ids ?? tokenizer.eosTokenIds;
        const tokens = model.#session.generate(ids, maxTokens, { eos, sampling, signal });
        for (;;) {
          const { value, done } = await tokens.next();
          if (done) {
            const rest = stops.push(pieces.end()) + stops.end();
            if (rest !== "") yield rest;
            return stops.complete ? "stop" : value;
          }
          usage.completionTokens++;
          usage.totalTokens++;
          const shown = stops.push(pieces.push(value));
          let resumed = false;
          const leave = () => void tokens.return("stop").then(release, release); // perhaps nobody reads any further
          try {
            signal?.throwIfAborted();
            signal?.addEventListener("abort", leave, { once: true });
            if (shown !== "") yield shown;
            resumed = true;
          } finally {
            signal?.removeEventListener("abort", leave);
            if (!resumed || stops.complete) await tokens.return("stop");
          }
          signal?.throwIfAborted();
          if (stops.complete) return "stop";
        }
      } finally {
        release();
      }
    });
  }

  /**
   * Measures one token and a prompt; the shape is that of spec/schema/profile.schema.json.
   *
   * @param {{tokens?: number, promptTokens?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<ProfileReport>}
   */
  async profile(options) {
    const settings = optionsOf(options);
    const release = await this.#turn(settings.signal);
    try {
      await this.#session.revive();
      return await profile(this.#session.executor, this.metadata, settings);
    } finally {
      release();
    }
  }

  /** @returns {DeviceReport} what the model runs on */
  get device() {
    const { device } = this.#session.executor;
    const { vendor = "", architecture = "" } = device.info ?? {};
    return {
      name: device.name,
      vendor,
      architecture,
      variant: device.variant.name,
      software: isSoftware(device.info),
    };
  }

  /** Positions of the KV cache. */
  get contextLength() {
    return this.#session.executor.context;
  }

  /** @returns {Record<string, number>} bytes on the device by purpose */
  memory() {
    return this.#session.executor.memory();
  }

  /** Frees the device; calls that are under way or wait fail. */
  dispose() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort(new DisposedError());
    this.#session.dispose();
  }

  /**
   * Waits until no other call is answered, and returns a function that ends this turn.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<() => void>}
   */
  async #turn(signal) {
    const before = this.#busy;
    /** @type {() => void} */
    let release = () => {};
    this.#busy = new Promise((resolve) => {
      release = () => resolve(undefined);
    });
    const gone = this.#gone.signal;
    try {
      await unlessAborted(before, signal === undefined ? gone : AbortSignal.any([signal, gone]));
    } catch (error) {
      before.then(release); // later calls still wait for earlier ones
      throw error;
    }
    return release;
  }
}

/**
 * Waits for a promise, which is never rejected, or rejects with the reason of a signal.
 *
 * @param {Promise<unknown>} promise
 * @param {AbortSignal} signal
 */
async function unlessAborted(promise, signal) {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
}

/** @param {string | readonly Message[]} prompt @throws {InputError} */
function checkPrompt(prompt) {
  if (typeof prompt === "string") return;
  const isMessage = (/** @type {Message} */ message) =>
    typeof message?.role === "string" && typeof message?.content === "string";
  if (!Array.isArray(prompt) || prompt.length === 0 || !prompt.every(isMessage)) {
    throw new InputError("the prompt is neither a string nor messages with role and content");
  }
}
