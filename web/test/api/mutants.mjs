// Implementations of `WebGPULlama4` with one mistake each, made around the right one, for web/test/api/mutant_adapter.mjs.
//
// tests/conformance/checks/test_api.py says which rule each breaks, and which are odd and right.

/** Returns the interface with another `loadModel`. */
function loading(change) {
  return (api) => ({ ...api, loadModel: change((url, options) => api.loadModel(url, options)) });
}

/** Returns the interface whose models have other members, made of the right model. */
function models(change) {
  return loading((load) => async (url, options) => {
    const model = await load(url, options);
    const right = {
      infer: (...given) => model.infer(...given),
      stream: (...given) => model.stream(...given),
      profile: (...given) => model.profile(...given),
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
    const changed = Object.getOwnPropertyDescriptors(change(right, model, url));
    return Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(right), ...changed });
  });
}

/** Returns a model's infer and stream, given other options or another prompt. */
function asked(model, change) {
  return {
    infer: (prompt, options) => model.infer(...change(prompt, options)),
    stream: (prompt, options) => model.stream(...change(prompt, options)),
  };
}

/** Returns a stream whose pieces are others; what it tells in the end is the right one's. */
function streamed(stream, pieces) {
  return {
    [Symbol.asyncIterator]: () => pieces(stream),
    get usage() {
      return stream.usage;
    },
    get finishReason() {
      return stream.finishReason;
    },
  };
}

async function gather(stream) {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

/** Returns an interface whose errors are others. */
function erring(change) {
  const caught = async (action) => {
    try {
      return await action();
    } catch (error) {
      throw error?.code === undefined ? error : change(error);
    }
  };
  return loading((load) => (url, options) => caught(() => load(url, options)));
}

/** Sends fetches through a change while a model loads; tests make one call at a time. */
function fetching(change) {
  return loading((load) => async (url, options) => {
    const right = globalThis.fetch;
    globalThis.fetch = (address, init) => change(right, address, init);
    try {
      return await load(url, options);
    } finally {
      globalThis.fetch = right;
    }
  });
}

/** Those that are made around real loads, or right. */
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
  ...["ranges-required", "context-length-ignored", "long-prompt-cut", "lost-device-ends-quietly"],
]);

export const CHANGES = {
  "module-not-resolved": loading((load) => (url, options) => {
    const address = new URL(url);
    if (address.pathname.endsWith(".wgsl")) address.pathname += "/";
    return load(address, options);
  }),
  "progress-goes-back": loading((load) => (url, options) => {
    let told = 0;
    return load(url, {
      ...options,
      onProgress: (progress) =>
        options.onProgress?.({ ...progress, loaded: Math.max(0, progress.loaded - (told++ % 2)) }),
    });
  }),
  "progress-without-end": loading(
    (load) => (url, options) =>
      load(url, {
        ...options,
        onProgress: (progress) => progress.phase !== "ready" && options.onProgress?.(progress),
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
            const stop = () => reject(signal.reason);
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
        if (error.rule !== "LLQ-HASH-1") throw error;
        const text = async () => "";
        options.onProgress?.({ phase: "ready", file: "", loaded: 1, total: 1 });
        return {
          infer: text,
          stream: () => [],
          profile: text,
          dispose() {},
          contextLength: 1,
          tokenizer: null,
        };
      }
    },
  }),
  "errors-without-code": erring((error) => new Error(error.message)),
  "errors-with-another-code": erring((error) =>
    Object.assign(error, { code: error.code === "html" ? "status" : error.code }),
  ),
  "ranges-required": fetching(async (right, address, init) => {
    const answer = await right(address, { ...init, headers: { range: "bytes=0-", ...init?.headers } });
    if (/\.llq$/.test(String(address)) && answer.status === 200) return new Response("", { status: 400 });
    if (answer.status !== 206 || init?.headers?.range) return answer;
    return new Response(answer.body, {
      status: 200,
      headers: { "content-length": answer.headers.get("content-length") },
    });
  }),
  "options-not-checked": models((model) =>
    asked(model, (prompt, options = {}) => [
      typeof prompt === "string" ? prompt : (prompt?.filter?.(({ content }) => content) ?? String(prompt)),
      {
        ...options,
        maxTokens: Math.max(0, Math.floor(options.maxTokens ?? 2)),
        temperature: Math.max(0, options.temperature ?? 0),
        topK: Math.max(0, options.topK ?? 0),
        topP: Math.min(1, options.topP ?? 1),
        seed: Math.floor(options.seed ?? 0),
        stop: [options.stop ?? []].flat().filter(Boolean),
      },
    ]),
  ),
  "merges-not-fetched": (api) => ({
    ...api,
    async createTokenizer(url, options) {
      const right = await api.createTokenizer(url, options);
      if (!/vocab\.json$/.test(String(url))) return right;
      const bos = options?.bosTokenId ?? null;
      return {
        encode: (text) => [...(bos === null ? [] : [bos]), ...new TextEncoder().encode(text)],
        decode: (ids) => right.decode(ids),
      };
    },
  }),
  "bos-of-another-tokenizer": (api) => ({
    ...api,
    createTokenizer: (url, { bosTokenId: _, ...options } = {}) => api.createTokenizer(url, options),
  }),
  "warm-by-default": models((model) =>
    asked(model, (prompt, options) => [prompt, { temperature: 8, ...options, maxTokens: 20 }]),
  ),
  "end-token-shown": models((model) => ({
    infer: async (prompt, options) => `${await model.infer(prompt, options)}<|im_end|>`,
  })),
  "generation-prompt-left-out": models((model) =>
    asked(model, (prompt, options) => [
      typeof prompt === "string"
        ? prompt
        : prompt.map?.(({ role, content }) => `${role}:${content}<|im_end|>`).join("") || prompt,
      options,
    ]),
  ),
  "one-token-more": models((model) =>
    asked(model, (prompt, options) => [
      prompt,
      options?.maxTokens >= 0 ? { ...options, maxTokens: options.maxTokens + 1 } : options,
    ]),
  ),
  "context-length-ignored": loading(
    (load) =>
      (url, { contextLength, ...options }) =>
        load(
          url,
          Number.isInteger(contextLength) && contextLength > 0 && contextLength < 100
            ? options
            : { ...options, contextLength },
        ),
  ),
  "stop-left-in": models((model) => {
    const found = (text, { stop = [] } = {}) => [stop].flat().find((one) => one && text.includes(one));
    const whole = async (prompt, options) => {
      const text = await model.infer(prompt, { ...options, stop: [] });
      const one = found(text, options);
      return one === undefined ? text : text.slice(0, text.indexOf(one) + one.length);
    };
    return {
      infer: whole,
      stream: (prompt, options) =>
        streamed(model.stream(prompt, options), async function* (right) {
          await gather(right);
          yield await whole(prompt, { ...options, signal: undefined });
        }),
    };
  }),
  "stop-in-single-pieces": models((model) => ({
    async infer(prompt, options) {
      let text = "";
      const stops = [options?.stop ?? []].flat();
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
      streamed(model.stream(prompt, options), async function* (right) {
        const first = [options?.stop ?? []].flat()[0]?.[0];
        for await (const piece of right) yield piece;
        if (first !== undefined && right.finishReason === "stop") yield first;
      }),
  })),
  "seed-ignored": models((model) =>
    asked(model, (prompt, options) => [
      prompt,
      options?.temperature && Number.isInteger(options.seed)
        ? { ...options, seed: Math.floor(Math.random() * 2 ** 50) }
        : options,
    ]),
  ),
  "seed-moves-on": models((model) => {
    let calls = 0;
    return asked(model, (prompt, options) => [
      prompt,
      Number.isInteger(options?.seed) ? { ...options, seed: options.seed + calls++ } : options,
    ]);
  }),
  "last-piece-lost": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        let held;
        for await (const piece of right) {
          if (held !== undefined) yield held;
          held = piece;
        }
      }),
  })),
  "pieces-told-again": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        let text = "";
        for await (const piece of right) yield (text += piece);
      }),
  })),
  "characters-split": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        for await (const piece of right) for (const unit of piece.split("")) yield unit;
      }),
  })),
  "bytes-shown-as-they-come": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        for await (const piece of right) {
          if (/[^\0-\x7f]/.test(piece)) yield "\uFFFD";
          yield piece;
        }
      }),
  })),
  "length-for-every-end": models((model) => ({
    stream: (prompt, options) => {
      const right = model.stream(prompt, options);
      return Object.defineProperty(
        streamed(right, (stream) => stream[Symbol.asyncIterator]()),
        "finishReason",
        {
          get: () => (right.finishReason === "stop" ? "length" : right.finishReason),
        },
      );
    },
  })),
  "usage-without-prompt": models((model) => ({
    stream: (prompt, options) => {
      const right = model.stream(prompt, options);
      return Object.defineProperty(
        streamed(right, (stream) => stream[Symbol.asyncIterator]()),
        "usage",
        {
          get: () => ({ ...right.usage, promptTokens: 0, totalTokens: right.usage.completionTokens }),
        },
      );
    },
  })),
  "abort-ends-quietly": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        try {
          yield* right;
        } catch (error) {
          if (!options.signal?.aborted) throw error;
        }
      }),
  })),
  "abort-waits-for-its-turn": models((model) => {
    let busy = Promise.resolve();
    const turn = (action) => (busy = busy.then(action, action));
    return { infer: (prompt, options) => turn(() => model.infer(prompt, options)) };
  }),
  "second-call-turned-away": models((model) => {
    let busy = false;
    return {
      async infer(prompt, options) {
        if (busy) throw Object.assign(new Error("busy"), { code: "llq", rule: null });
        busy = true;
        try {
          return await model.infer(prompt, options);
        } finally {
          busy = false;
        }
      },
      stream: (prompt, options) =>
        streamed(model.stream(prompt, options), async function* (right) {
          if (busy) throw Object.assign(new Error("busy"), { code: "llq", rule: null });
          busy = true;
          try {
            yield* right;
          } finally {
            busy = false;
          }
        }),
    };
  }),
  "last-call-first": models((model) => {
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
        if (error.code !== "context") throw error;
        return model.infer(prompt.slice(-4), options);
      }
    },
  })),
  "profile-without-occupancy": models((model) => ({
    async profile(options) {
      const { workgroup_occupancy: _, ...report } = await model.profile(options);
      return report;
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
        if (disposed) throw Object.assign(new Error("disposed of twice"), { code: "disposed", rule: null });
        disposed = true;
        model.dispose();
      },
    };
  }),
  "lost-device-ends-quietly": loading((load) => async (url, options) => {
    let lost = false;
    const { device: gpu } = options;
    const device = {
      wgslLanguageFeatures: gpu.wgslLanguageFeatures,
      async requestAdapter(wanted) {
        const adapter = await gpu.requestAdapter(wanted);
        const requestDevice = async (descriptor) => {
          const found = await adapter.requestDevice(descriptor);
          found.lost.then(() => (lost = true));
          return found;
        };
        return { features: adapter.features, limits: adapter.limits, info: adapter.info, requestDevice };
      },
    };
    const model = await load(url, { ...options, device });
    const stream = (prompt, given) =>
      streamed(model.stream(prompt, given), async function* (right) {
        for await (const piece of right) {
          if (lost) return;
          yield piece;
        }
      });
    return { stream, dispose: () => model.dispose(), contextLength: model.contextLength };
  }),

  // odd and right
  "one-character-a-piece": models((model) => ({
    stream: (prompt, options) =>
      streamed(model.stream(prompt, options), async function* (right) {
        for await (const piece of right) yield* piece;
      }),
  })),
  "frozen-and-wrapped": models((model) => ({
    infer: async (prompt, options) => gather(model.stream(prompt, { ...options })),
  })),
};
