/** What a worker does that has a model: it loads the model and computes tokens. Text is the page's. */

import { DisposedError, LLQError } from "../errors.js";
import { Endpoint } from "../net/endpoint.js";
import { tokenizerText } from "../text/package_tokenizer.js";
import { ModelLoader } from "./load_model.js";

/** @typedef {import("./sequence.js").Sequence} Sequence */
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
 * @property {Sequence} sequence
 * @property {ReturnType<Sequence["generate"]>} tokens
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
  /** @type {Map<number, Sequence>} by number; the model's is 0 */
  #sequences = new Map();
  #made = 0;
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
        maxSessions: undefined, // the page counts
        fetching,
        source: undefined,
      },
      tokenizerText,
    );
    const loading = this.#loader.load();
    this.#loading = loading;
    const { sequence, metadata, tokenizer } = await loading;
    const { state } = this.#add(sequence);
    return { metadata, tokenizer, state };
  }

  /** @type {Calls["begin"]} */
  async begin({ answer, sequence: number, prompt, maxTokens, options }) {
    const stop = new AbortController();
    const { isMasked, ...rest } = options;
    /** @type {Answer["step"]} */
    const step = { mask: null, logprobs: undefined };
    const sequence = this.#sequence(number);
    const tokens = sequence.generate(prompt, maxTokens, {
      ...rest,
      ...(isMasked && { mask: () => step.mask }),
      onLogprobs: (logprobs) => {
        step.logprobs = logprobs;
      },
      signal: stop.signal,
    });
    this.#answers.set(answer, { sequence, tokens, stop, step });
  }

  /** @type {Calls["next"]} */
  async next({ answer, mask }, signal) {
    const { sequence, tokens, stop, step } = this.#answer(answer);
    if (mask !== undefined) step.mask = mask;
    signal.addEventListener("abort", () => stop.abort(), { once: true });
    const { value, done } = await tokens.next();
    return done ? { value, done, state: sequence.state } : { value, done: false, logprobs: step.logprobs };
  }

  /** @type {Calls["leave"]} */
  async leave({ answer }) {
    const { tokens } = this.#answer(answer);
    this.#answers.delete(answer);
    await tokens.return("stop");
  }

  /** @type {Calls["profile"]} */
  async profile({ metadata, ...settings }, signal) {
    const sequence = this.#sequence(0);
    const report = await sequence.profile(metadata, { ...settings, signal });
    return { report, state: sequence.state };
  }

  /** @type {Calls["sibling"]} */
  async sibling({ contextLength }) {
    return this.#add(await this.#sequence(0).sibling(contextLength));
  }

  /** @type {Calls["fork"]} */
  async fork({ sequence }) {
    return this.#add(await this.#sequence(sequence).fork());
  }

  /** @type {Calls["release"]} */
  async release({ sequence: number }) {
    this.#sequence(number).disposeWhenIdle();
    this.#sequences.delete(number);
  }

  /** @type {Calls["dispose"]} */
  async dispose() {
    this.#gone.abort();
    await this.#loading.catch(() => {});
    this.#sequences.get(0)?.dispose();
    await this.#loader?.stored;
  }

  /** Gives a sequence a number. @param {Sequence} sequence */
  #add(sequence) {
    const number = this.#made++;
    this.#sequences.set(number, sequence);
    return { sequence: number, state: sequence.state };
  }

  /** @param {number} number */
  #sequence(number) {
    const sequence = this.#sequences.get(number);
    if (sequence === undefined) throw new DisposedError();
    return sequence;
  }

  /** @param {number} number */
  #answer(number) {
    const answer = this.#answers.get(number);
    if (answer === undefined) throw new DisposedError();
    return answer;
  }
}
