/** The pieces of text that answer a prompt (spec: Runtime API). */

import { InputError, TokenizerError } from "../errors.js";
import { checkBiases } from "../text/adjuster.js";
import { TextStream } from "../text/text_stream.js";
import { INFER_OPTIONS, inferSettings } from "./infer_options.js";
import { optionsOf } from "./options.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("../text/log_probabilities.js").TokenLogprobs} TokenLogprobs */
/** @typedef {import("../text/tokenizer.js").Message} Message */
/** @typedef {import("../text/tokenizer.js").Tokenizer} Tokenizer */
/** @typedef {import("./infer_options.js").InferOptions} InferOptions */
/** @typedef {import("./sequence.js").Sequence | import("./worker_sequence.js").WorkerSequence} Sequence */
/** @typedef {import("./turns.js").Turns} Turns */
/** @typedef {string | readonly Message[]} Prompt */
/**
 * @typedef {object} Answering what a model or a session answers with
 * @property {Turns} turns
 * @property {Sequence} sequence
 * @property {() => Tokenizer | null} tokenizer
 * @property {readonly number[] | undefined} eos end tokens of the package, if it has a tokenizer
 * @property {number} vocabSize
 * @property {(signal?: AbortSignal) => AbortSignal} stop returns the signal that ends a call
 */

/** @param {Prompt} prompt @throws {InputError} */
export function checkPrompt(prompt) {
  if (typeof prompt === "string") return;
  const isMessage = (/** @type {Message} */ message) =>
    typeof message?.role === "string" && typeof message?.content === "string";
  if (!Array.isArray(prompt) || prompt.length === 0 || !prompt.every(isMessage)) {
    throw new InputError("the prompt is neither a string nor messages with role and content");
  }
}

/** Returns the tokenizer in use. @param {Answering} answering @throws {TokenizerError} */
export function tokenizerOf({ tokenizer }) {
  const inUse = tokenizer();
  if (inUse !== null) return inUse;
  throw new TokenizerError(
    "this package has no tokenizer: assign a result of createTokenizer to model.tokenizer",
    { code: "no-tokenizer" },
  );
}

/**
 * Returns a stream that answers at its turn.
 *
 * @param {Answering} answering
 * @param {InferOptions | undefined} options
 * @param {(tokenizer: Tokenizer, stop: AbortSignal) => Promise<readonly number[]>} idsOf returns the ids of the prompt
 * @param {(ids: readonly number[]) => void} [keep] gets the ids of the prompt and of the whole answer
 * @returns {TextStream}
 */
export function answer(answering, options, idsOf, keep = () => {}) {
  const settings = inferSettings(optionsOf(options, INFER_OPTIONS));
  const { maxTokens, sampling, logprobs, mask, stops, signal } = settings;
  if (sampling.logitBias?.size) checkBiases(sampling, answering.vocabSize);
  return new TextStream(signal, async function* answered(stream) {
    const stop = answering.stop(signal);
    const release = await answering.turns.next(stop);
    /** @type {ReturnType<Sequence["generate"]> | null} */
    let tokens = null;
    /** Ends the generation, then this turn: after an abort what is on the device is waited for by later calls. */
    const leave = async () => {
      await tokens?.return("stop").catch(() => {});
      release();
    };
    try {
      const tokenizer = tokenizerOf(answering);
      const ids = await unlessAborted(idsOf(tokenizer, stop), stop);
      if (ids.length === 0) throw new InputError("the prompt has no tokens: expected at least one");
      const usage = { promptTokens: ids.length, completionTokens: 0, totalTokens: ids.length };
      stream.usage = usage;
      const pieces = tokenizer.pieces();
      const eos = answering.eos ?? tokenizer.eosTokenIds;
      /** @type {number[]} */
      const chosen = [];
      /** @type {TokenLogprobs[] | null} */
      const reports = logprobs === undefined ? null : [];
      stream.logprobs = reports;
      const onLogprobs = (/** @type {TokenLogprobs} */ one) => reports?.push(one);
      const choice = { sampling, mask, logprobs, onLogprobs };
      tokens = answering.sequence.generate(ids, maxTokens, { eos, ...choice, signal });
      for (;;) {
        const { value, done } = await unlessAborted(tokens.next(), stop);
        if (done) {
          const rest = stops.push(await unlessAborted(pieces.end(), stop)) + stops.end();
          if (rest !== "") yield rest;
          keep([...ids, ...chosen]);
          return stops.complete ? "stop" : value;
        }
        chosen.push(value);
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
        if (stops.complete) {
          keep([...ids, ...chosen]);
          return "stop";
        }
      }
    } finally {
      const left = leave();
      if (!stop.aborted) await left;
    }
  });
}

/** Returns the text of a stream. @param {TextStream} stream */
export async function textOf(stream) {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}
