/** A session: a sequence that grows, and keeps what was computed of it (spec: Runtime API). */

import { ContextError, DisposedError, InputError } from "../errors.js";
import { answer, checkPrompt, textOf, tokenizerOf } from "./answer.js";
import { checkCount, optionsOf } from "./options.js";

/** @typedef {import("./answer.js").Answering} Answering */
/** @typedef {import("./answer.js").Prompt} Prompt */
/** @typedef {import("./infer_options.js").InferOptions} InferOptions */
/** @typedef {import("./answer.js").Sequence} Sequence */
/**
 * @typedef {object} Sessions those of a model
 * @property {(model: Answering, make: () => Promise<Session>, signal?: AbortSignal) => Promise<Session>} add
 * @property {(session: Session) => void} remove
 */
/** @typedef {import("../text/text_stream.js").TextStream} TextStream */
/** @typedef {{signal?: AbortSignal}} CallOptions */

/** The options of calls that compute no answer. @satisfies {readonly (keyof CallOptions)[]} */
const CALL_OPTIONS = ["signal"];

/** A sequence of tokens, with a KV cache of its own. Its calls wait for their turn among those of the model. */
export class Session {
  #model;
  #sessions;
  #sequence;
  /** @type {readonly number[]} */
  #ids;
  #gone = new AbortController();
  /** @type {Answering} */
  #answering;

  /**
   * Use `createSession` of a model.
   *
   * @param {Answering} model
   * @param {Sessions} sessions
   * @param {Sequence} sequence
   * @param {readonly number[]} [ids] of the sequence
   */
  constructor(model, sessions, sequence, ids = []) {
    this.#model = model;
    this.#sessions = sessions;
    this.#sequence = sequence;
    this.#ids = ids;
    const stop = (/** @type {AbortSignal | undefined} */ signal) =>
      AbortSignal.any([model.stop(signal), this.#gone.signal]);
    this.#answering = { ...model, sequence, stop };
  }

  /** Number of tokens of the sequence. */
  get length() {
    return this.#ids.length;
  }

  /** Positions of the KV cache. */
  get contextLength() {
    return this.#sequence.state.context;
  }

  /** Bytes on the device that only this session uses. */
  get bytes() {
    if (this.#gone.signal.aborted) return 0;
    const { weights: _, ...own } = this.#sequence.state.memory;
    return Object.values(own).reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Answers a prompt as the `infer` of the model does, but keeps what the sequence has in common with it.
   *
   * @param {Prompt | null} prompt null continues the sequence
   * @param {InferOptions} [options]
   * @returns {Promise<string>} the text after the prompt, which becomes a part of the sequence
   */
  async infer(prompt, options) {
    return textOf(this.stream(prompt, options));
  }

  /**
   * Answers as `infer` does, in pieces as they come.
   *
   * @param {Prompt | null} prompt
   * @param {InferOptions} [options]
   * @returns {TextStream}
   */
  stream(prompt, options) {
    if (prompt !== null) checkPrompt(prompt);
    return answer(
      this.#answering,
      options,
      async (tokenizer, stop) =>
        prompt === null ? this.#ids : tokenizer.prompt(prompt, this.contextLength, stop),
      (ids) => {
        this.#ids = ids;
      },
    );
  }

  /**
   * Adds a text to the end of the sequence, and computes it.
   *
   * @param {string} text BOS is put in front if the sequence is empty
   * @param {CallOptions} [options]
   */
  async append(text, options) {
    const { signal } = optionsOf(options, CALL_OPTIONS);
    if (typeof text !== "string") throw new InputError(`the text is ${text}, expected a string`);
    const stop = this.#answering.stop(signal);
    await this.#model.turns.run(stop, async () => {
      const limit = this.contextLength - this.length;
      const tokenizer = tokenizerOf(this.#answering);
      const added = await tokenizer.continuation(text, limit, { begins: this.length === 0, signal: stop });
      if (added.length > limit) {
        throw new ContextError(
          `${this.length + added.length} positions do not fit into a context of ${this.contextLength}`,
        );
      }
      if (added.length === 0) return;
      const ids = [...this.#ids, ...added];
      for await (const _ of this.#sequence.generate(ids, 0, { signal }));
      stop.throwIfAborted();
      this.#ids = ids;
    });
  }

  /**
   * Keeps the first tokens of the sequence alone.
   *
   * @param {number} length number of tokens to keep
   * @param {CallOptions} [options]
   */
  async truncate(length, options) {
    const { signal } = optionsOf(options, CALL_OPTIONS);
    checkCount(length ?? null, "length", 0);
    const stop = this.#answering.stop(signal);
    await this.#model.turns.run(stop, async () => {
      if (length > this.length) {
        throw new InputError(
          `length is ${length}, expected at most ${this.length}, the length of the session`,
        );
      }
      this.#ids = this.#ids.slice(0, length);
    });
  }

  /**
   * Makes a session with the same sequence and a copy of its KV cache.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Session>}
   * @throws {import("../errors.js").SessionLimitError | import("../errors.js").DeviceError} where there is no room for it
   */
  async fork(options) {
    const { signal } = optionsOf(options, CALL_OPTIONS);
    const stop = this.#answering.stop(signal);
    const make = async () => new Session(this.#model, this.#sessions, await this.#sequence.fork(), this.#ids);
    return this.#sessions.add(this.#model, make, stop);
  }

  /** Frees the memory of the session; its calls that are under way or wait fail. */
  dispose() {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort(new DisposedError("the session was disposed of"));
    this.#sessions.remove(this);
    this.#sequence.disposeWhenIdle();
  }
}
