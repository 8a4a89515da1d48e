// Mutants and conforming variants of loading.

import { LLQError } from "../../src/errors.js";
import { disguised } from "../support/disguise.mjs";
import { erring, fetching, loading, models, stopsOf, withArguments } from "./interface_changes.mjs";

/** @typedef {import("../../harness/interface.js").InferOptions} InferOptions */

/** @type {Record<string, import("./interface_changes.mjs").Change>} */
export const CHANGES = {
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
};
