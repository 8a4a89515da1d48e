// Ways to change `WebGPULlama4`: its loads, models, sessions, streams, errors and requests.

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
export function loading(change) {
  return (api) => ({ ...api, loadModel: change((url, options) => api.loadModel(url, options)) });
}

/** Returns the interface whose models have other members. @param {(model: Model) => Partial<Model>} change */
export function models(change) {
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
export function changedSession(session, change) {
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
export function sessions(change) {
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
export function withArguments(model, change) {
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
export function streamed(stream, pieces) {
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
export async function gather(stream) {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

/** Returns the stop strings of options. @param {InferOptions} [options] @returns {string[]} */
export function stopsOf(options) {
  return [options?.stop ?? []].flat();
}

/** Returns an interface with other errors. @param {(error: LLQError) => Error} change */
export function erring(change) {
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
export function fetching(change) {
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
export function sampling(change) {
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
export function choosing(change) {
  return models((model) =>
    withArguments(model, (prompt, options = {}) => [prompt, { ...options, ...change(options) }]),
  );
}

/**
 * Returns an interface whose streams go through a change that knows whether a device was lost.
 *
 * @param {(original: Stream, isLost: () => boolean) => AsyncIterator<string>} pieces
 */
export function afterLosses(pieces) {
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
export async function* endsAfterLoss(original, isLost) {
  for await (const piece of original) {
    if (isLost()) return;
    yield piece;
  }
}

/** Returns an error as other implementations might throw it. @param {string} code */
export function foreignError(code) {
  return Object.assign(new Error(code), { code, rule: null });
}
