/** What a worker does that has a model: it loads the model and computes tokens. Text is the page's. */

import { DisposedError, LLQError } from "../errors.js";
import { Endpoint } from "../net/endpoint.js";
import { tokenizerText } from "../text/package_tokenizer.js";
import { ModelLoader } from "./load_model.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./worker_messages.js").Calls} Calls */
/** @typedef {import("./worker_messages.js").Request} Request */
/** @typedef {import("./worker_messages.js").Response} Response */
/**
 * @typedef {object} Scope what is used of DedicatedWorkerGlobalScope
 * @property {(message: Response) => void} postMessage
 * @property {(event: MessageEvent<Request>) => void} onmessage
 */
/** @typedef {import("../text/log_probabilities.js").TokenLogprobs} TokenLogprobs */
/**
 * @typedef {object} Answer
 * @property {ReturnType<Session["generate"]>} tokens
 * @property {AbortController} stop
 * @property {{mask: Uint32Array | null, logprobs: TokenLogprobs | undefined}} step of the present token
 */

/** Answers the messages of a page. */
export function serveModel() {
  const scope = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
  const calls = new ModelCalls((progress) => scope.postMessage({ id: null, progress }));
  /** @type {Map<number, AbortController>} */
  const ongoing = new Map();
  scope.onmessage = async ({ data }) => {
    if ("abort" in data) {
      ongoing.get(data.id)?.abort();
      return;
    }
    const { id, name, input } = data;
    const stop = new AbortController();
    ongoing.set(id, stop);
    try {
      scope.postMessage({ id, output: await calls[name](input, stop.signal) });
    } catch (error) {
      scope.postMessage({ id, ...reportOf(error) });
    } finally {
      ongoing.delete(id);
    }
  };
  scope.postMessage({ id: null });
}

/** @param {unknown} error @returns {Pick<Response, "failure" | "error">} */
function reportOf(error) {
  if (error instanceof LLQError) return { failure: error.members };
  return { error: error instanceof Error ? new Error(error.message) : String(error) }; // what can be copied
}

/** @implements {Calls} */
class ModelCalls {
  #onProgress;
  /** @type {Session | null} */
  #session = null;
  /** @type {ModelLoader<string | null> | null} */
  #loader = null;
  /** @type {Promise<unknown>} */
  #loading = Promise.resolve();
  #gone = new AbortController();
  /** @type {Map<number, Answer>} */
  #answers = new Map();

  /** @param {import("../net/progress.js").OnProgress} onProgress */
  constructor(onProgress) {
    this.#onProgress = onProgress;
  }

  /** @type {Calls["load"]} */
  async load({ addresses, cache, variant, contextLength, fetching }, signal) {
    this.#loader = new ModelLoader(
      {
        endpoints: addresses.map((address) => new Endpoint(address)),
        signal: AbortSignal.any([signal, this.#gone.signal]),
        onProgress: this.#onProgress,
        cache,
        choice: { variant },
        contextLength,
        fetching,
        source: undefined,
      },
      tokenizerText,
    );
    const loading = this.#loader.load();
    this.#loading = loading;
    const { session, metadata, tokenizer } = await loading;
    this.#session = session;
    return { metadata, tokenizer, state: session.state };
  }

  /** @type {Calls["begin"]} */
  async begin({ answer, prompt, maxTokens, options }) {
    const stop = new AbortController();
    const { isMasked, ...rest } = options;
    /** @type {Answer["step"]} */
    const step = { mask: null, logprobs: undefined };
    const tokens = this.#loaded.generate(prompt, maxTokens, {
      ...rest,
      ...(isMasked && { mask: () => step.mask }),
      onLogprobs: (logprobs) => {
        step.logprobs = logprobs;
      },
      signal: stop.signal,
    });
    this.#answers.set(answer, { tokens, stop, step });
  }

  /** @type {Calls["next"]} */
  async next({ answer, mask }, signal) {
    const { tokens, stop, step } = this.#answer(answer);
    if (mask !== undefined) step.mask = mask;
    signal.addEventListener("abort", () => stop.abort(), { once: true });
    const { value, done } = await tokens.next();
    return done
      ? { value, done, state: this.#loaded.state }
      : { value, done: false, logprobs: step.logprobs };
  }

  /** @type {Calls["leave"]} */
  async leave({ answer }) {
    const { tokens } = this.#answer(answer);
    this.#answers.delete(answer);
    await tokens.return("stop");
  }

  /** @type {Calls["profile"]} */
  async profile({ metadata, ...settings }, signal) {
    const report = await this.#loaded.profile(metadata, { ...settings, signal });
    return { report, state: this.#loaded.state };
  }

  /** @type {Calls["dispose"]} */
  async dispose() {
    this.#gone.abort();
    await this.#loading.catch(() => {});
    this.#session?.dispose();
    await this.#loader?.stored;
  }

  get #loaded() {
    if (this.#session === null) throw new DisposedError();
    return this.#session;
  }

  /** @param {number} number */
  #answer(number) {
    const answer = this.#answers.get(number);
    if (answer === undefined) throw new DisposedError();
    return answer;
  }
}
