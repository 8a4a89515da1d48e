/**
 * The worker in which chat templates and tokenizers run: code of strangers, which may loop or backtrack without
 * end. It is ended at a deadline, and another one starts with the next request.
 */

import { TokenizerError } from "../errors.js";
import { beforeDeadline } from "./before_deadline.js";
import { TextThread } from "./text_thread.js";

/** @typedef {import("./text_tasks.js").TextRequest} TextRequest */
/** @typedef {{key: number, json: string}} Source a tokenizer.json, and what names it to the worker */

/** Maximum time of a request in ms, for each started 2^20 characters of its text (LLQ-TOK-5). */
const LIMIT_MS = 10_000;
/** Maximum time for the start of the worker in ms. */
const START_MS = 60_000;
/** Maximum number of tokenizers that the worker keeps. */
const KEPT = 4;

export class Sandbox {
  #limit;
  /** @type {TextThread | null} */
  #thread = null;
  /** @type {number[]} keys of the tokenizers that the worker has */
  #loaded = [];
  /** @type {Promise<unknown>} the last request */
  #last = Promise.resolve();

  /** @param {number} [limit] maximum time of a request in ms */
  constructor(limit = LIMIT_MS) {
    this.#limit = limit;
  }

  /**
   * Lets the worker do something, after all that it was asked before.
   *
   * @param {Source} source
   * @param {TextRequest["name"]} name
   * @param {any} input
   * @param {{signal?: AbortSignal, characters?: number}} [options]
   * @returns {Promise<any>}
   * @throws {TokenizerError}
   */
  async run(source, name, input, { signal, characters = 0 } = {}) {
    const before = this.#last;
    const request = before.then(() => {
      signal?.throwIfAborted();
      return this.#answer(source, name, input, Math.ceil((characters + 1) / 2 ** 20), signal);
    });
    this.#last = request.catch(() => {});
    return request;
  }

  /**
   * @param {Source} source
   * @param {TextRequest["name"]} name
   * @param {any} input
   * @param {number} scale factor of the time
   * @param {AbortSignal} [signal]
   */
  async #answer({ key, json }, name, input, scale, signal) {
    const thread = await this.#started();
    /** @type {TextRequest} */
    const request = { name, input, key };
    if (!this.#loaded.includes(key)) {
      if (this.#loaded.length >= KEPT) request.dropped = this.#loaded.shift();
      request.json = json;
    }
    const answer = thread.exchange(request);
    let report;
    try {
      report = await beforeDeadline(answer, this.#limit * scale, signal);
    } catch (cause) {
      this.#end();
      signal?.throwIfAborted();
      throw limitError(name, this.#limit * scale, cause);
    }
    if (request.json !== undefined && report.failure === undefined) this.#loaded.push(key);
    if (report.failure !== undefined) {
      const { message, code, rule } = report.failure;
      throw new TokenizerError(message, { code, rule });
    }
    if ("error" in report) throw report.error;
    signal?.throwIfAborted();
    return report.output;
  }

  /** Returns the thread, which is started if there is none. @throws {TokenizerError} */
  async #started() {
    if (this.#thread !== null) return this.#thread;
    let thread;
    try {
      thread = new TextThread();
      await beforeDeadline(thread.exchange(), START_MS);
    } catch (cause) {
      thread?.end();
      throw new TokenizerError(
        "tokenizers and chat templates run in a worker, and this page cannot start one: " +
          "allow blob: in worker-src of its content security policy",
        { rule: "LLQ-API-37", cause },
      );
    }
    this.#thread = thread;
    return thread;
  }

  #end() {
    this.#thread?.end();
    this.#thread = null;
    this.#loaded = [];
  }
}

/** @param {string} name @param {number} limit in ms @param {unknown} cause */
function limitError(name, limit, cause) {
  const [subject, code] = name === "render" ? ["chat template", "template"] : ["tokenizer", "tokenizer"];
  const message = `the ${subject} needs more than ${limit / 1000} s, or more memory than there is`;
  return new TokenizerError(message, { code, rule: "LLQ-TOK-5", cause });
}

/** The worker of this page. */
export const SANDBOX = new Sandbox();
