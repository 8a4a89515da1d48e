/** A package on a device, and the answers that it gives (spec: Runtime API). */

import { DisposedError, InputError, TokenizerError } from "../errors.js";
import { checkBiases } from "../text/adjuster.js";
import { TextStream } from "../text/text_stream.js";
import { INFER_OPTIONS, inferSettings } from "./infer_options.js";
import { checkCount, optionsOf } from "./options.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../gpu/profile.js").ProfileReport} ProfileReport */
/** @typedef {import("./session.js").DeviceReport} DeviceReport */
/**
 * @typedef {Pick<import("./session.js").Session, "generate" | "profile" | "state" | "dispose">} Session of this
 *   thread or of a worker
 */
/** @typedef {import("../text/log_probabilities.js").TokenLogprobs} TokenLogprobs */
/** @typedef {import("./infer_options.js").InferOptions} InferOptions */
/** @typedef {import("../text/tokenizer.js").Message} Message */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
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
    const settings = inferSettings(optionsOf(options, INFER_OPTIONS));
    const { maxTokens, sampling, logprobs, mask, stops, signal } = settings;
    checkPrompt(prompt);
    if (sampling.logitBias?.size) checkBiases(sampling, this.metadata.model?.vocab_size ?? 0);
    const model = this;
    return new TextStream(signal, async function* answer(stream) {
      const stop = model.#stop(signal);
      const release = await model.#turn(stop);
      /** @type {ReturnType<Session["generate"]> | null} */
      let tokens = null;
      /** Ends the generation, then this turn: after an abort what is on the device is waited for by later calls. */
      const leave = async () => {
        await tokens?.return("stop").catch(() => {});
        release();
      };
      try {
        const { tokenizer } = model;
        if (tokenizer === null) {
          throw new TokenizerError(
            "this package has no tokenizer: assign a result of createTokenizer to model.tokenizer",
            { code: "no-tokenizer" },
          );
        }
        const ids = await unlessAborted(tokenizer.prompt(prompt, model.contextLength, stop), stop);
        if (ids.length === 0) throw new InputError("the prompt has no tokens: expected at least one");
        const usage = { promptTokens: ids.length, completionTokens: 0, totalTokens: ids.length };
        stream.usage = usage;
        const pieces = tokenizer.pieces();
        const eos = model.metadata.tokenizer?.eos_token_ids ?? tokenizer.eosTokenIds;
        /** @type {TokenLogprobs[] | null} */
        const reports = logprobs === undefined ? null : [];
        stream.logprobs = reports;
        const onLogprobs = (/** @type {TokenLogprobs} */ one) => reports?.push(one);
        const choice = { sampling, mask, logprobs, onLogprobs };
        tokens = model.#session.generate(ids, maxTokens, { eos, ...choice, signal });
        for (;;) {
          const { value, done } = await unlessAborted(tokens.next(), stop);
          if (done) {
            const rest = stops.push(await unlessAborted(pieces.end(), stop)) + stops.end();
            if (rest !== "") yield rest;
            return stops.complete ? "stop" : value;
          }
          usage.completionTokens++;
          usage.totalTokens++;
          const shown = stops.push(await unlessAborted(pieces.push(value), stop));
          stop.throwIfAborted();
          stop.addEventListener("abort", leave, { once: true }); // perhaps nobody reads any further
          try {
            if (shown !== "") yield shown;
          } finally {
            stop.removeEventListener("abort", leave);
          }
          stop.throwIfAborted();
          if (stops.complete) return "stop";
        }
      } finally {
        const left = leave();
        if (!stop.aborted) await left;
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
    const settings = optionsOf(options, ["tokens", "promptTokens", "signal"]);
    checkCount(settings.tokens, "tokens", 1);
    checkCount(settings.promptTokens, "promptTokens", 1);
    const stop = this.#stop(settings.signal);
    const release = await this.#turn(stop);
    const measuring = this.#session.profile(this.metadata, settings);
    measuring.then(release, release);
    return unlessAborted(measuring, stop);
  }

  /** @returns {DeviceReport} what the model runs on */
  get device() {
    return this.#session.state.device;
  }

  /** Positions of the KV cache. */
  get contextLength() {
    return this.#session.state.context;
  }

  /** @returns {Record<string, number>} bytes on the device by purpose */
  memory() {
    return this.#session.state.memory;
  }

  /** Frees the device; calls that are under way or wait fail. */
  dispose() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort(new DisposedError());
    this.#session.dispose();
  }

  /** Returns the signal that ends a call: its own, or that of the model. @param {AbortSignal} [signal] */
  #stop(signal) {
    return signal === undefined ? this.#gone.signal : AbortSignal.any([signal, this.#gone.signal]);
  }

  /**
   * Waits until no other call is answered, and returns a function that ends this turn.
   *
   * @param {AbortSignal} stop
   * @returns {Promise<() => void>}
   */
  async #turn(stop) {
    const before = this.#busy;
    /** @type {() => void} */
    let release = () => {};
    this.#busy = new Promise((resolve) => {
      release = () => resolve(undefined);
    });
    try {
      await unlessAborted(before, stop);
    } catch (error) {
      before.then(release); // later calls still wait for earlier ones
      throw error;
    }
    return release;
  }
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
