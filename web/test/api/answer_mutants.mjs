// Mutants and conforming variants of answers.

import { LLQError } from "../../src/errors.js";
import { disguised } from "../support/disguise.mjs";
import {
  afterLosses,
  choosing,
  endsAfterLoss,
  foreignError,
  gather,
  loading,
  models,
  sampling,
  stopsOf,
  streamed,
  withArguments,
} from "./interface_changes.mjs";

/** @typedef {import("../../harness/interface.js").Model} Model */

/** @type {Record<string, import("./interface_changes.mjs").Change>} */
export const CHANGES = {
  "warm-by-default": models((model) =>
    withArguments(model, (prompt, options) => [prompt, { temperature: 8, ...options, maxTokens: 20 }]),
  ),
  "end-token-shown": models((model) => ({
    infer: async (prompt, options) => `${await model.infer(prompt, options)}<|im_end|>`,
  })),
  "generation-prompt-left-out": models((model) =>
    withArguments(model, (prompt, options) => [
      typeof prompt === "string"
        ? prompt
        : prompt.map?.(({ role, content }) => `${role}:${content}<|im_end|>`).join("") || prompt,
      options,
    ]),
  ),
  "one-token-more": models((model) =>
    withArguments(model, (prompt, options) => [
      prompt,
      options?.maxTokens !== undefined && options.maxTokens >= 0
        ? { ...options, maxTokens: options.maxTokens + 1 }
        : options,
    ]),
  ),
  "context-length-ignored": loading(
    (load) =>
      (url, { contextLength, ...options }) =>
        load(
          url,
          Number.isInteger(contextLength) && Number(contextLength) > 0 && Number(contextLength) < 100
            ? options
            : { ...options, contextLength },
        ),
  ),
  "stop-left-in": models((model) => {
    /** @type {Model["infer"]} */
    const whole = async (prompt, options) => {
      const text = await model.infer(prompt, { ...options, stop: [] });
      const end = stopsOf(options).find((stop) => stop && text.includes(stop));
      return end === undefined ? text : text.slice(0, text.indexOf(end) + end.length);
    };
    return {
      infer: whole,
      stream: (prompt, options) =>
        streamed(model.stream(prompt, options), async function* (original) {
          await gather(original);
          yield await whole(prompt, { ...options, signal: undefined });
        }),
    };
  }),
  "stop-in-single-pieces": models((model) => ({
    async infer(prompt, options) {
      let text = "";
      const stops = stopsOf(options);
      for await (const piece of model.stream(prompt, { ...options, stop: stops.includes("") ? stops : [] })) {
        const places = stops.map((stop) => piece.indexOf(stop)).filter((place) => place >= 0);
        if (places.length > 0) return text + piece.slice(0, Math.min(...places));
        text += piece;
      }
      return text;
    },
  })),
  "stop-shown-while-it-begins": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        const first = stopsOf(options)[0]?.[0];
        for await (const piece of original) yield piece;
        if (first !== undefined && original.finishReason === "stop") yield first;
      }),
  })),
  "seed-ignored": models((model) => {
    let calls = 0; // a fixed sequence: two random seeds can give the same text
    return withArguments(model, (prompt, options) => [
      prompt,
      options?.temperature && Number.isInteger(options.seed)
        ? { ...options, seed: 48271 ** ++calls % 2147483647 }
        : options,
    ]);
  }),
  "seed-moves-on": models((model) => {
    let calls = 0;
    return withArguments(model, (prompt, options) => [
      prompt,
      Number.isInteger(options?.seed) ? { ...options, seed: Number(options?.seed) + calls++ } : options,
    ]);
  }),
  "last-piece-lost": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        let previous;
        for await (const piece of original) {
          if (previous !== undefined) yield previous;
          previous = piece;
        }
      }),
  })),
  "pieces-told-again": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        let text = "";
        for await (const piece of original) {
          text += piece;
          yield text;
        }
      }),
  })),
  "characters-split": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        for await (const piece of original) for (const unit of piece.split("")) yield unit;
      }),
  })),
  "bytes-shown-as-they-come": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        for await (const piece of original) {
          if (/[^\0-\x7f]/.test(piece)) yield "\uFFFD";
          yield piece;
        }
      }),
  })),
  "length-for-every-end": models((model) => ({
    stream: (prompt, options) => {
      const original = model.stream(prompt, options);
      return Object.defineProperty(
        streamed(original, (stream) => stream[Symbol.asyncIterator]()),
        "finishReason",
        {
          get: () => (original.finishReason === "stop" ? "length" : original.finishReason),
        },
      );
    },
  })),
  "usage-without-prompt": models((model) => ({
    stream: (prompt, options) => {
      const original = model.stream(prompt, options);
      return Object.defineProperty(
        streamed(original, (stream) => stream[Symbol.asyncIterator]()),
        "usage",
        {
          get: () => ({ ...original.usage, promptTokens: 0, totalTokens: original.usage.completionTokens }),
        },
      );
    },
  })),
  "abort-ends-quietly": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        try {
          yield* original;
        } catch (error) {
          if (!options?.signal?.aborted) throw error;
        }
      }),
  })),
  "abort-waits-for-its-turn": models((model) => {
    /** @type {Promise<unknown>} */
    let previous = Promise.resolve();
    return {
      infer(prompt, options) {
        const call = () => model.infer(prompt, options);
        const answer = previous.then(call, call);
        previous = answer;
        return answer;
      },
    };
  }),
  "second-call-turned-away": models((model) => {
    let busy = false;
    return {
      async infer(prompt, options) {
        if (busy) throw foreignError("llq");
        busy = true;
        try {
          return await model.infer(prompt, options);
        } finally {
          busy = false;
        }
      },
      stream: (prompt, options) =>
        streamed(model.stream(prompt, options), async function* (original) {
          if (busy) throw foreignError("llq");
          busy = true;
          try {
            yield* original;
          } finally {
            busy = false;
          }
        }),
    };
  }),
  "last-call-first": models((model) => {
    /** @type {(() => void)[]} */
    let waiting = [];
    return {
      infer: (prompt, options) =>
        new Promise((resolve, reject) => {
          waiting.push(() => model.infer(prompt, options).then(resolve, reject));
          setTimeout(() => {
            const calls = waiting.reverse();
            waiting = [];
            for (const call of calls) call();
          }, 20);
        }),
    };
  }),
  "long-prompt-cut": models((model) => ({
    async infer(prompt, options) {
      try {
        return await model.infer(prompt, options);
      } catch (error) {
        if (!(error instanceof LLQError) || error.code !== "context") throw error;
        return model.infer(prompt.slice(-4), options); // the last characters, or messages
      }
    },
  })),
  "profile-without-occupancy": models((model) => ({
    async profile(options) {
      const { workgroup_occupancy: _, ...report } = await model.profile(options);
      return disguised(report);
    },
  })),
  "profile-of-one-layer": models((model) => ({
    profile: async (options) => {
      const report = await model.profile(options);
      return { ...report, block_times_ms: report.block_times_ms.slice(1) };
    },
  })),
  "dispose-does-nothing": models(() => ({ dispose() {} })),
  "dispose-once-only": models((model) => {
    let disposed = false;
    return {
      dispose() {
        if (disposed) throw foreignError("disposed");
        disposed = true;
        model.dispose();
      },
    };
  }),
  "lost-device-ends-quietly": afterLosses(endsAfterLoss),
  "lost-session-ends-quietly": afterLosses(endsAfterLoss),
  "one-token-fewer-after-a-loss": afterLosses(async function* (original, isLost) {
    let held = "";
    for await (const piece of original) {
      yield held;
      held = piece;
    }
    if (!isLost()) yield held;
  }),
  "seed-dropped": sampling(() => ({ seed: 0 })),
  "seed-of-32-bits": sampling(({ seed = 0 }) => ({ seed: BigInt.asUintN(32, BigInt(seed)) })),
  "seed-without-sign": sampling(({ seed = 0 }) => ({ seed: seed < 0 ? -seed : seed })),
  "one-token-more-than-top-k": sampling(({ topK = 0 }) => ({ topK: topK === 0 ? 0 : topK + 1 })),
  "one-token-fewer-than-top-k": sampling(({ topK = 0 }) => ({ topK: topK < 2 ? topK : topK - 1 })),
  "top-k-ignored": sampling(() => ({ topK: 0 })),
  "top-p-ignored": sampling(() => ({ topP: 1 })),
  "inverse-temperature": sampling(({ temperature = 1 }) => ({ temperature: 1 / temperature })),
  "temperature-ignored": sampling(() => ({ temperature: 1 })),
  "min-p-ignored": sampling(() => ({ minP: 0 })),
  "penalty-ignored": choosing(() => ({ repetitionPenalty: 1 })),
  "biases-ignored": choosing(() => ({ logitBias: {} })),
  "mask-ignored": choosing(() => ({ mask: () => null })),
  "mask-called-with-no-ids": choosing(({ mask }) => ({ mask: mask && (() => mask([])) })),
  "logprobs-without-top": choosing(({ logprobs }) => ({ logprobs: logprobs && 0 })),
  "large-top-k-refused": sampling(({ topK = 0 }) => {
    if (topK >= 2 ** 32) throw foreignError("input");
    return {};
  }),
  "limits-without-a-code": models((model) => ({
    infer: (prompt, options) =>
      model.infer(prompt, options).catch((error) => {
        throw String(error.rule).startsWith("LLQ-TOK-") ? foreignError("llq") : error;
      }),
  })),
  "long-templates-answered": models((model) => ({
    infer: (prompt, options) =>
      model.infer(prompt, options).catch((error) => {
        if (String(error.rule).startsWith("LLQ-TOK-")) return "";
        throw error;
      }),
  })),
  "empty-prompt-answered": models((model) => ({
    async infer(prompt, options) {
      return prompt === "" && (await model.tokenizer?.encode(""))?.length === 0
        ? ""
        : model.infer(prompt, options);
    },
  })),
  "stream-ends-again": models((model) => ({
    stream(prompt, options) {
      let reads = 0;
      return streamed(model.stream(prompt, options), async function* (original) {
        if (reads++ === 0) yield* original;
      });
    },
  })),
  "stream-repeated": models((model) => ({
    stream(prompt, options) {
      /** @type {string[]} */
      const kept = [];
      let reads = 0;
      return streamed(model.stream(prompt, options), async function* (original) {
        if (reads++ > 0) yield* kept;
        else {
          for await (const piece of original) {
            kept.push(piece);
            yield piece;
          }
        }
      });
    },
  })),

  // conforming variants
  "one-character-a-piece": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (original) {
        for await (const piece of original) yield* piece;
      }),
  })),
  "frozen-and-wrapped": models((model) => ({
    infer: async (prompt, options) => gather(model.stream(prompt, { ...options })),
  })),
};
