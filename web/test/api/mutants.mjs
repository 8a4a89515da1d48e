// Mutants of `WebGPULlama4`, each with one bug, and conforming variants of it, for
// web/test/api/mutant_adapter.mjs. All are
// made around the correct implementation. tests/conformance/checks/test_api.py lists the rule that each
// mutant breaks.

import { LLQError } from "../../src/errors.js";
import { disguised } from "../support/disguise.mjs";

/** @typedef {import("../../harness/interface.js").Interface} Interface */
/** @typedef {import("../../harness/interface.js").InferOptions} InferOptions */
/** @typedef {import("../../harness/interface.js").Model} Model */
/** @typedef {import("../../harness/interface.js").Prompt} Prompt */
/** @typedef {import("../../harness/interface.js").Session} Session */
/** @typedef {import("../../harness/interface.js").Stream} Stream */
/** @typedef {Interface["loadModel"]} Load */
/** @typedef {(api: Interface) => Interface} Change */
/**
 * @typedef {(prompt: Prompt, options?: InferOptions) => [Prompt, InferOptions | undefined]} ArgumentChange
 */
/** @typedef {(stream: Stream) => AsyncIterator<string>} PieceChange */

/** Returns the interface with another `loadModel`. @param {(load: Load) => Load} change @returns {Change} */
function loading(change) {
  return (api) => ({ ...api, loadModel: change((url, options) => api.loadModel(url, options)) });
}

/** Returns the interface whose models have other members. @param {(model: Model) => Partial<Model>} change */
function models(change) {
  return loading((load) => async (url, options) => {
    const model = await load(url, options);
    /** @type {Model} */
    const original = {
      infer: (...args) => model.infer(...args),
      stream: (...args) => model.stream(...args),
      createSession: (...args) => model.createSession(...args),
      profile: (...args) => model.profile(...args),
      dispose: () => model.dispose(),
      get contextLength() {
        return model.contextLength;
      },
      get tokenizer() {
        return model.tokenizer;
      },
      set tokenizer(value) {
        model.tokenizer = value;
      },
    };
    const changed = Object.getOwnPropertyDescriptors(change(original));
    return Object.defineProperties(disguised({}), {
      ...Object.getOwnPropertyDescriptors(original),
      ...changed,
    });
  });
}

/**
 * Returns a session with other members; its forks have them, too.
 *
 * @param {Session} session
 * @param {(session: Session) => Partial<Session>} change
 * @returns {Session}
 */
function changedSession(session, change) {
  /** @type {Session} */
  const original = {
    infer: (...args) => session.infer(...args),
    stream: (...args) => session.stream(...args),
    append: (...args) => session.append(...args),
    truncate: (...args) => session.truncate(...args),
    fork: async (...args) => changedSession(await session.fork(...args), change),
    dispose: () => session.dispose(),
    get length() {
      return session.length;
    },
    get contextLength() {
      return session.contextLength;
    },
    get bytes() {
      return session.bytes;
    },
  };
  const changed = Object.getOwnPropertyDescriptors(change(original));
  return Object.defineProperties(disguised({}), {
    ...Object.getOwnPropertyDescriptors(original),
    ...changed,
  });
}

/** Returns the interface whose sessions have other members. @param {(session: Session) => Partial<Session>} change */
function sessions(change) {
  return models((model) => ({
    createSession: async (options) => changedSession(await model.createSession(options), change),
  }));
}

/**
 * Returns the infer and stream of a model, called with other arguments.
 *
 * @param {Model} model
 * @param {ArgumentChange} change
 */
function withArguments(model, change) {
  return {
    infer: (/** @type {Prompt} */ prompt, /** @type {InferOptions | undefined} */ options) =>
      model.infer(...change(prompt, options)),
    stream: (/** @type {Prompt} */ prompt, /** @type {InferOptions | undefined} */ options) =>
      model.stream(...change(prompt, options)),
  };
}

/**
 * Returns a stream with other pieces, and the same usage and end.
 *
 * @param {Stream} stream
 * @param {PieceChange} pieces
 * @returns {Stream}
 */
function streamed(stream, pieces) {
  return {
    [Symbol.asyncIterator]: () => pieces(stream),
    get usage() {
      return stream.usage;
    },
    get finishReason() {
      return stream.finishReason;
    },
    get logprobs() {
      return stream.logprobs;
    },
  };
}

/** Returns the text of a stream. @param {Stream} stream */
async function gather(stream) {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

/** Returns the stop strings of options. @param {InferOptions} [options] @returns {string[]} */
function stopsOf(options) {
  return [options?.stop ?? []].flat();
}

/** Returns an interface with other errors. @param {(error: LLQError) => Error} change */
function erring(change) {
  return loading((load) => async (url, options) => {
    try {
      return await load(url, options);
    } catch (error) {
      throw error instanceof LLQError ? change(error) : error;
    }
  });
}

/**
 * Sends fetches through a change while a model loads; tests make one call at a time.
 *
 * @param {(original: typeof fetch, address: RequestInfo | URL, init?: RequestInit) => Promise<Response>}
 *   change
 */
function fetching(change) {
  return loading((load) => async (url, options) => {
    const original = globalThis.fetch;
    globalThis.fetch = (address, init) => change(original, address, init);
    try {
      return await load(url, options);
    } finally {
      globalThis.fetch = original;
    }
  });
}

/**
 * Returns the infer and stream of a model, with other options where an answer is sampled.
 *
 * @param {(options: InferOptions) => InferOptions} change
 */
function sampling(change) {
  return models((model) =>
    withArguments(model, (prompt, options) => [
      prompt,
      options?.temperature && options.temperature > 0 ? { ...options, ...change(options) } : options,
    ]),
  );
}

/**
 * Returns an interface with other options.
 *
 * @param {(options: InferOptions) => Partial<InferOptions>} change
 */
function choosing(change) {
  return models((model) =>
    withArguments(model, (prompt, options = {}) => [prompt, { ...options, ...change(options) }]),
  );
}

/**
 * Returns an interface whose streams go through a change that knows whether a device was lost.
 *
 * @param {(original: Stream, isLost: () => boolean) => AsyncIterator<string>} pieces
 */
function afterLosses(pieces) {
  return loading((load) => async (url, options) => {
    let lost = false;
    const gpu = /** @type {GPU} */ (options.device); // the suite passes one
    const device = {
      wgslLanguageFeatures: gpu.wgslLanguageFeatures,
      async requestAdapter(/** @type {GPURequestAdapterOptions} */ adapterOptions) {
        const adapter = await gpu.requestAdapter(adapterOptions);
        const requestDevice = async (/** @type {GPUDeviceDescriptor} */ descriptor) => {
          const opened = await adapter?.requestDevice(descriptor);
          opened?.lost.then(() => {
            lost = true;
          });
          return opened;
        };
        return { features: adapter?.features, limits: adapter?.limits, info: adapter?.info, requestDevice };
      },
    };
    const model = await load(url, { ...options, device: disguised(device) });
    /** @param {Stream} original */
    const changed = (original) => streamed(original, (stream) => pieces(stream, () => lost));
    return disguised({
      stream: (/** @type {Parameters<Model["stream"]>} */ ...args) => changed(model.stream(...args)),
      createSession: async () =>
        changedSession(await model.createSession(), (session) => ({
          stream: (...args) => changed(session.stream(...args)),
        })),
      dispose: () => model.dispose(),
      contextLength: model.contextLength,
    });
  });
}

/** @type {Parameters<typeof afterLosses>[0]} */
async function* endsAfterLoss(original, isLost) {
  for await (const piece of original) {
    if (isLost()) return;
    yield piece;
  }
}

/** Returns an error as other implementations might throw it. @param {string} code */
function foreignError(code) {
  return Object.assign(new Error(code), { code, rule: null });
}

/** Mutants and variants that are made around real loads. */
export const LOADING = new Set([
  ...[
    "control",
    "module-not-resolved",
    "load-abort-ignored",
    "load-abort-with-another-error",
    "load-goes-on-after-abort",
  ],
  ...[
    "hash-without-rule",
    "rule-of-another-fault",
    "damaged-shard-taken",
    "errors-without-code",
    "errors-with-another-code",
  ],
  ...["compressed-files-refused", "context-checked-at-the-end"],
  ...["query-dropped", "hub-address-requested", "first-mirror-alone", "query-in-messages"],
  ...["stored-for-everybody", "worker-takes-a-device"],
  ...["ranges-required", "context-length-ignored", "long-prompt-cut", "lost-device-ends-quietly"],
  "one-token-fewer-after-a-loss",
  ...["lost-session-ends-quietly", "session-limit-ignored", "beginning-of-the-previous-prompt"],
]);

/** @type {Record<string, Change>} */
export const CHANGES = {
  "beginning-of-the-previous-prompt": models((model) => {
    let previous = "";
    return withArguments(model, (prompt, options) => {
      if (typeof prompt !== "string") return [prompt, options];
      const half = Math.floor(Math.min(prompt.length, previous.length) / 2);
      previous = previous.slice(0, half) + prompt.slice(half);
      return [previous, options];
    });
  }),
  "session-context-ignored": models((model) => ({
    createSession: ({ contextLength, ...options } = {}) =>
      model.createSession(
        Number(contextLength) < 9 && Number(contextLength) > 0 ? options : { contextLength, ...options },
      ),
  })),
  "answer-left-out-of-the-sequence": sessions((session) => ({
    async infer(prompt, options) {
      const text = await session.infer(prompt, options);
      await session.truncate(Math.max(1, session.length - 1));
      return text;
    },
  })),
  "text-not-appended": sessions(() => ({ append: async () => {} })),
  "bos-before-each-text": sessions((session) => ({
    append: (text, options) => session.append(session.length > 0 ? `<|begin|>${text}` : text, options),
  })),
  "truncate-ignored": sessions((session) => ({
    truncate: (length, options) => session.truncate(Math.max(length, session.length), options),
  })),
  "fork-of-the-same-sequence": sessions((session) => ({ fork: async () => session })),
  "aborted-answer-kept": sessions((session) => ({
    stream: (prompt, options) =>
      streamed(session.stream(prompt, options), async function* (original) {
        let text = "";
        try {
          for await (const piece of original) {
            text += piece;
            yield piece;
          }
        } finally {
          if (original.finishReason !== "stop" && original.finishReason !== "length")
            await session.append(text);
        }
      }),
  })),
  "session-limit-ignored": loading(
    (load) =>
      (url, { maxSessions: _, ...options }) =>
        load(url, options),
  ),
  "append-does-not-wait": sessions((session) => ({
    async append(text, options) {
      session.append(text, options).catch(() => {});
    },
  })),
  "disposed-session-answers": sessions(() => ({ dispose() {} })),
  "module-not-resolved": loading((load) => (url, options) => {
    if (Array.isArray(url)) return load(url, options);
    const address = new URL(String(url));
    if (address.pathname.endsWith(".wgsl")) address.pathname += "/";
    return load(address, options);
  }),
  "progress-goes-back": loading((load) => (url, options) => {
    let events = 0;
    return load(url, {
      ...options,
      onProgress: (progress) =>
        options.onProgress?.({ ...progress, loaded: Math.max(0, progress.loaded - (events++ % 2)) }),
    });
  }),
  "progress-without-end": loading(
    (load) => (url, options) =>
      load(url, {
        ...options,
        onProgress(progress) {
          if (progress.phase !== "ready") options.onProgress?.(progress);
        },
      }),
  ),
  "load-abort-ignored": loading(
    (load) =>
      (url, { signal: _, ...options }) =>
        load(url, options),
  ),
  "load-abort-with-another-error": loading((load) => async (url, options) => {
    try {
      return await load(url, options);
    } catch (error) {
      if (options.signal?.aborted) throw new DOMException("aborted", "AbortError");
      throw error;
    }
  }),
  "load-goes-on-after-abort": loading(
    (load) =>
      (url, { signal, ...options }) =>
        Promise.race([
          load(url, options),
          new Promise((_, reject) => {
            const stop = () => reject(signal?.reason);
            if (signal?.aborted) stop();
            signal?.addEventListener("abort", stop);
          }),
        ]),
  ),
  "hash-without-rule": erring((error) => Object.assign(error, { rule: null })),
  "rule-of-another-fault": erring((error) =>
    error.rule ? Object.assign(error, { rule: "LLQ-PACK-3" }) : error,
  ),
  "damaged-shard-taken": (api) => ({
    ...api,
    async loadModel(url, options) {
      try {
        return await api.loadModel(url, options);
      } catch (error) {
        if (!(error instanceof LLQError) || error.rule !== "LLQ-HASH-1") throw error;
        const text = async () => "";
        options.onProgress?.(disguised({ phase: "ready", file: "", loaded: 1, total: 1 }));
        return disguised({
          infer: text,
          stream: () => [],
          profile: text,
          dispose() {},
          contextLength: 1,
          tokenizer: null,
        });
      }
    },
  }),
  "errors-without-code": erring((error) => new Error(error.message)),
  "errors-with-another-code": erring((error) =>
    Object.assign(error, { code: error.code === "html" ? "status" : error.code }),
  ),
  "ranges-required": fetching(async (original, address, init) => {
    const headers = new Headers(init?.headers);
    const ranged = headers.has("range");
    if (!ranged) headers.set("range", "bytes=0-");
    const response = await original(address, { ...init, headers });
    if (/\.llq$/.test(String(address)) && response.status === 200) return new Response("", { status: 400 });
    if (response.status !== 206 || ranged) return response;
    const length = response.headers.get("content-length") ?? "";
    return new Response(response.body, { status: 200, headers: { "content-length": length } });
  }),
  "compressed-files-refused": fetching(async (original, address, init) => {
    const response = await original(address, init);
    return response.headers.has("content-encoding") ? new Response("", { status: 400 }) : response;
  }),
  "query-dropped": loading((load) => (url, options) => {
    const address = new URL(String(url));
    address.search = "";
    return load(address, options);
  }),
  "hub-address-requested": loading(
    (load) => (url, options) =>
      load(String(url).startsWith("hf:") ? "http://127.0.0.1:9/" : url, {
        ...options,
        fetching: { attempts: 1 },
      }),
  ),
  "first-mirror-alone": loading(
    (load) => (url, options) => load(Array.isArray(url) ? url.slice(0, 1) : url, options),
  ),
  "query-in-messages": loading((load) => async (url, options) => {
    try {
      return await load(url, options);
    } catch (error) {
      if (error instanceof Error) error.message += ` (${url})`;
      throw error;
    }
  }),
  "stored-for-everybody": loading((load) => {
    /** @type {import("../../harness/interface.js").PackageAddress | null} */
    let stored = null;
    return async (url, options) => {
      const model = await load(url, options).catch((error) => {
        if (stored === null) throw error;
        return load(stored, options);
      });
      stored ??= url;
      return model;
    };
  }),
  "worker-takes-a-device": (api) => ({ ...api, inWorker: (url, options) => api.loadModel(url, options) }),
  "unknown-options-ignored": models((model) =>
    withArguments(model, (prompt, options) => [
      prompt,
      options && /** @type {InferOptions} */ ({ ...options, llqUnknownOption: undefined }),
    ]),
  ),
  "context-checked-at-the-end": loading((load) => async (url, { contextLength = 1, ...options }) => {
    const model = await load(url, options);
    if (contextLength <= model.contextLength) return model;
    model.dispose();
    throw new LLQError("the context is too long", { code: "context" });
  }),
  "options-not-checked": models((model) =>
    withArguments(model, (prompt, options = {}) => [
      typeof prompt === "string" ? prompt : (prompt?.filter?.(({ content }) => content) ?? String(prompt)),
      {
        ...options,
        maxTokens: Math.max(0, Math.floor(options.maxTokens ?? 2)),
        temperature: Math.max(0, options.temperature ?? 0),
        topK: Math.max(0, options.topK ?? 0),
        topP: Math.min(1, options.topP ?? 1),
        seed: Math.floor(Number(options.seed ?? 0)),
        stop: stopsOf(options).filter(Boolean),
      },
    ]),
  ),
  "merges-not-fetched": (api) => ({
    ...api,
    async createTokenizer(url, options) {
      const original = await api.createTokenizer(url, options);
      if (!/vocab\.json$/.test(String(url))) return original;
      const bos = options?.bosTokenId ?? null;
      return {
        encode: async (text) => [...(bos === null ? [] : [bos]), ...new TextEncoder().encode(text)],
        decode: (ids) => original.decode(ids),
      };
    },
  }),
  "bos-of-another-tokenizer": (api) => ({
    ...api,
    createTokenizer: (url, { bosTokenId: _, ...options } = {}) => api.createTokenizer(url, options),
  }),
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
