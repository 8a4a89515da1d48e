/** The interface `WebGPULlama4` as its callers see it, whoever implements it (spec: Runtime API). */

/** @typedef {import("../index.js").InferOptions} InferOptions */
/** @typedef {import("../index.js").LoadOptions} LoadOptions */
/** @typedef {import("../index.js").Message} Message */
/** @typedef {import("../src/api/load_options.js").PackageAddress} PackageAddress */
/** @typedef {import("../index.js").ProfileReport} ProfileReport */
/** @typedef {import("../index.js").Usage} Usage */
/** @typedef {string | readonly Message[]} Prompt */
/**
 * @typedef {{bosTokenId?: number | null, eosTokenIds?: readonly number[], signal?: AbortSignal}}
 *   TokenizerOptions
 */
/** @typedef {{encode: (text: string) => Promise<number[]>, decode: (ids: number[]) => Promise<string>}} Tokenizer */
/**
 * @typedef {object} Summary
 * @property {Usage} usage
 * @property {string | null} finishReason
 * @property {unknown} logprobs
 */
/** @typedef {AsyncIterable<string> & Readonly<Summary>} Stream */
/**
 * @typedef {object} Session
 * @property {(prompt: Prompt | null, options?: InferOptions) => Promise<string>} infer
 * @property {(prompt: Prompt | null, options?: InferOptions) => Stream} stream
 * @property {(text: string, options?: {signal?: AbortSignal}) => Promise<void>} append
 * @property {(length: number, options?: {signal?: AbortSignal}) => Promise<void>} truncate
 * @property {(options?: {signal?: AbortSignal}) => Promise<Session>} fork
 * @property {() => void} dispose
 * @property {number} length
 * @property {number} contextLength
 * @property {number} bytes
 */
/**
 * @typedef {object} Model
 * @property {(prompt: Prompt, options?: InferOptions) => Promise<string>} infer
 * @property {(prompt: Prompt, options?: InferOptions) => Stream} stream
 * @property {(options?: {contextLength?: number, signal?: AbortSignal}) => Promise<Session>} createSession
 * @property {(options?: {signal?: AbortSignal}) => Promise<ProfileReport>} profile
 * @property {() => void} dispose
 * @property {number} contextLength
 * @property {Tokenizer | null} tokenizer
 */
/**
 * @typedef {object} Interface
 * @property {(url: PackageAddress, options: LoadOptions) => Promise<Model>} loadModel
 * @property {(url: PackageAddress, options: LoadOptions) => Promise<Model>} inWorker
 * @property {(url: string | URL, options: TokenizerOptions) => Promise<Tokenizer>} createTokenizer
 */

export {};
