/** A package on a device, and the answers that it gives (spec: Runtime API). */

import { DisposedError, InputError, TokenizerError } from "../errors.js";
import { isSoftware } from "../gpu/device.js";
import { profile } from "../gpu/profile.js";
import { checked, TextStream } from "../text/text_stream.js";
import { optionsOf } from "./options.js";

/** @typedef {import("../package/metadata.js").Metadata} Metadata */
/** @typedef {import("../gpu/profile.js").ProfileReport} ProfileReport */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../text/text_stream.js").InferOptions} InferOptions */
/** @typedef {import("../text/tokenizer.js").Message} Message */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
/**
 * @typedef {object} DeviceReport
 * @property {string} name what the adapter calls itself
 * @property {string} vendor
 * @property {string} architecture
 * @property {string} variant of the module that is executed
 * @property {boolean} software whether the adapter computes on the CPU, as far as it can be told
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
   * @returns {Promise<string>} the text behind the prompt
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
    const { maxTokens, sampling, stops, signal } = checked(optionsOf(options));
    checkPrompt(prompt);
    const model = this;
    return new TextStream(signal, async function* answer(stream) {
      const release = await model.#turn(signal);
      try {
        const { tokenizer } = model;
        if (tokenizer === null) {
          throw new TokenizerError("this package has no tokenizer: set model.tokenizer", {
            code: "no-tokenizer",
          });
        }
        const ids = tokenizer.encode(typeof prompt === "string" ? prompt : await tokenizer.chat(prompt));
        if (ids.length === 0) throw new InputError("the prompt is empty");
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
            return stops.found ? "stop" : value;
          }
          usage.completionTokens++;
          usage.totalTokens++;
          const shown = stops.push(pieces.push(value));
          let finished = false;
          const leave = () => void tokens.return("stop").then(release, release); // perhaps nobody reads on
          try {
            signal?.throwIfAborted();
            signal?.addEventListener("abort", leave, { once: true });
            if (shown !== "") yield shown;
            finished = true;
          } finally {
            signal?.removeEventListener("abort", leave);
            if (!finished || stops.found) await tokens.return("stop");
          }
          signal?.throwIfAborted();
          if (stops.found) return "stop";
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
    const told = optionsOf(options);
    const release = await this.#turn(told.signal);
    try {
      await this.#session.revive();
      return await profile(this.#session.host, this.metadata, told);
    } finally {
      release();
    }
  }

  /** @returns {DeviceReport} what the model runs on */
  get device() {
    const { device } = this.#session.host;
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
    return this.#session.host.context;
  }

  /** @returns {Record<string, number>} bytes on the device by purpose */
  memory() {
    return this.#session.host.memory();
  }

  /** Lets the device go; whatever is being answered, or waits, fails. */
  dispose() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort(new DisposedError());
    this.#session.dispose();
  }

  /**
   * Waits until nothing else is answered, and returns what ends one's own turn.
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
      before.then(release); // who waits behind waits for those before it all the same
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
  const right = (/** @type {Message} */ one) =>
    typeof one?.role === "string" && typeof one?.content === "string";
  if (!Array.isArray(prompt) || prompt.length === 0 || !prompt.every(right)) {
    throw new InputError("a prompt is a text, or messages with role and content");
  }
}
