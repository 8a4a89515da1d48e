// The implementation has the types that web/declarations states; `npm run check` checks this file.

import * as implementation from "../index.js";
import { nodeGpu } from "../src/gpu/node_gpu.js";

/** @typedef {typeof import("../declarations/index.js")} Declared */
/** @typedef {import("../declarations/index.js").InferOptions} DeclaredInferOptions */
/** @typedef {import("../declarations/index.js").LoadOptions} DeclaredLoadOptions */
/** @typedef {import("../declarations/index.js").Model} DeclaredModel */
/** @typedef {import("../declarations/index.js").Session} DeclaredSession */
/** @typedef {import("../declarations/index.js").TextStream} DeclaredStream */
/** @typedef {import("../declarations/index.js").Tokenizer} DeclaredTokenizer */
/** @typedef {import("../declarations/index.js").Progress} DeclaredProgress */
/** @typedef {"tokenizer" | "stream" | "createSession" | "metadata"} OfClasses members whose types are classes with private members */

/** @type {Pick<Declared, "ruleAddress" | "LLQError" | "NetworkError" | "DeviceLostError" | "DisposedError" | "SessionLimitError">} */
export const errors = implementation;

/** @param {import("../index.js").Model} model @returns {Omit<DeclaredModel, OfClasses>} */
export const modelOf = (model) => model;

/** @param {import("../index.js").Session} session @returns {Omit<DeclaredSession, "stream" | "fork">} */
export const sessionOf = (session) => session;

/** @param {import("../index.js").Tokenizer} tokenizer @returns {Pick<DeclaredTokenizer, keyof DeclaredTokenizer>} */
export const tokenizerOf = (tokenizer) => tokenizer;

/** @param {import("../index.js").TextStream} stream @returns {Pick<DeclaredStream, keyof DeclaredStream>} */
export const streamOf = (stream) => stream;

/** @param {import("../index.js").Progress} progress @returns {DeclaredProgress} */
export const progressOf = (progress) => progress;

/** @param {DeclaredInferOptions} options @returns {import("../index.js").InferOptions} */
export const inferOptionsOf = (options) => options;

/** @param {keyof import("../index.js").InferOptions} name @returns {keyof DeclaredInferOptions} */
export const inferOption = (name) => name;

/** @param {DeclaredLoadOptions} options @returns {Omit<import("../index.js").LoadOptions, "source">} */
export const loadOptionsOf = (options) => options;

/** @param {keyof import("../index.js").LoadOptions} name @returns {keyof DeclaredLoadOptions} */
export const loadOption = (name) => name;

/** @param {import("../declarations/index.js").PackageAddress} url @param {DeclaredLoadOptions} options */
export const loaded = (url, { source: _, ...options }) => [
  implementation.WebGPULlama4.loadModel(url, options),
  implementation.WebGPULlama4.inWorker(url, options),
];

/** @type {Declared["WebGPULlama4"]["cache"]} */
export const cache = implementation.WebGPULlama4.cache;

/** @type {typeof import("../declarations/node.js")["nodeGpu"]} */
export const gpu = nodeGpu;
