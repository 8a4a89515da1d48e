/** A package on a device, and the answers that it gives (spec: Runtime API). */

import { DisposedError } from "../errors.js";
import { checkContext } from "../gpu/executor.js";
import { answer, checkPrompt, textOf } from "./answer.js";
import { checkCount, optionsOf } from "./options.js";
import { MAX_SESSIONS, SESSION_OPTIONS, Sessions } from "./sessions.js";
import { Turns } from "./turns.js";

/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../gpu/profile.js").ProfileReport} ProfileReport */
/** @typedef {import("../errors.js").DeviceError} DeviceError */
/** @typedef {import("../errors.js").SessionLimitError} SessionLimitError */
/** @typedef {import("../text/text_stream.js").TextStream} TextStream */
/** @typedef {import("./answer.js").Answering} Answering */
/** @typedef {import("./answer.js").Sequence} Sequence */
/** @typedef {import("./sequence.js").DeviceReport} DeviceReport */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./sessions.js").SessionOptions} SessionOptions */
/** @typedef {import("./infer_options.js").InferOptions} InferOptions */
/** @typedef {import("../text/tokenizer.js").Message} Message */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
/** A model. One call is answered at a time; others wait for it. */
export class Model {
  #sequence;
  #gone = new AbortController();
  /** @type {Answering} */
  #answering;
  #sessions;

  /**
   * Use `WebGPULlama4.loadModel`.
   *
   * @param {Sequence} sequence
   * @param {Metadata} metadata
   * @param {Tokenizer | null} tokenizer
   * @param {number} [maxSessions]
   */
  constructor(sequence, metadata, tokenizer, maxSessions = MAX_SESSIONS) {
    this.#sequence = sequence;
    this.#sessions = new Sessions(maxSessions);
    this.#answering = {
      turns: new Turns(),
      sequence,
      tokenizer: () => this.tokenizer,
      eos: metadata.tokenizer?.eos_token_ids,
      vocabSize: metadata.model?.vocab_size ?? 0,
      stop: (signal) => this.#stop(signal),
    };
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
    return textOf(this.stream(prompt, options));
  }

  /**
   * Answers as `infer` does, in pieces as they come.
   *
   * @param {string | readonly Message[]} prompt
   * @param {InferOptions} [options]
   * @returns {TextStream}
   */
  stream(prompt, options) {
    checkPrompt(prompt);
    return answer(this.#answering, options, (tokenizer, stop) =>
      tokenizer.prompt(prompt, this.contextLength, stop),
    );
  }

  /**
   * Makes a session: a sequence of its own, which keeps what was computed of it.
   *
   * @param {SessionOptions} [options]
   * @returns {Promise<Session>}
   * @throws {SessionLimitError | DeviceError} where there is no room for it
   */
  async createSession(options) {
    const { contextLength, signal } = optionsOf(options, SESSION_OPTIONS);
    checkCount(contextLength, "contextLength", 1);
    if (contextLength !== undefined) checkContext(contextLength, this.contextLength);
    return this.#sessions.open(this.#answering, contextLength, signal);
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
    return this.#answering.turns.run(stop, () => this.#sequence.profile(this.metadata, settings));
  }

  /** @returns {DeviceReport} what the model runs on */
  get device() {
    return this.#sequence.state.device;
  }

  /** Positions of the KV cache. */
  get contextLength() {
    return this.#sequence.state.context;
  }

  /** @returns {Record<string, number>} bytes on the device by purpose */
  memory() {
    return { ...this.#sequence.state.memory, sessions: this.#sessions.bytes };
  }

  /** Frees the device; calls that are under way or wait fail. */
  dispose() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort(new DisposedError());
    this.#sessions.dispose();
    this.#sequence.dispose();
  }

  /** Returns the signal that ends a call: its own, or that of the model. @param {AbortSignal} [signal] */
  #stop(signal) {
    return signal === undefined ? this.#gone.signal : AbortSignal.any([signal, this.#gone.signal]);
  }
}
