/** Messages between a page and the worker that has its model. */

/** @typedef {import("../net/endpoint.js").Address} Address */
/** @typedef {import("../net/http_source.js").FetchOptions} FetchOptions */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../text/log_probabilities.js").TokenLogprobs} TokenLogprobs */
/** @typedef {import("./sequence.js").ExecutorState} ExecutorState */
/** @typedef {import("./sequence.js").GenerateOptions} GenerateOptions */
/** @typedef {import("./sequence.js").ProfileOptions} ProfileOptions */
/**
 * @typedef {object} LoadInput
 * @property {Address[]} addresses
 * @property {boolean} cache
 * @property {string} [variant]
 * @property {number} [contextLength]
 * @property {FetchOptions} [fetching]
 */
/** @typedef {{metadata: Metadata, tokenizer: string | null, state: ExecutorState}} LoadOutput */
/**
 * @typedef {object} BeginInput
 * @property {number} answer number that the page gives it
 * @property {number} sequence number of the sequence
 * @property {readonly number[]} prompt
 * @property {number} maxTokens
 * @property {Omit<GenerateOptions, "signal" | "mask" | "onLogprobs"> & {isMasked: boolean}} options isMasked:
 *   whether each `next` has a mask
 */
/** @typedef {{answer: number, mask: Uint32Array | null | undefined}} NextInput mask: of the next choice */
/** @typedef {{value: number, done: false, logprobs: TokenLogprobs | undefined} | {value: "stop" | "length", done: true, state: ExecutorState}} NextOutput */
/** @typedef {{sequence: number, state: ExecutorState}} SequenceOutput of a sequence that was made */
/**
 * @typedef {object} Calls of a page to its worker: the first is `load`, the last `dispose`
 * @property {(input: LoadInput, signal: AbortSignal) => Promise<LoadOutput>} load
 * @property {(input: BeginInput, signal: AbortSignal) => Promise<void>} begin begins an answer, in order
 * @property {(input: NextInput, signal: AbortSignal) => Promise<NextOutput>} next
 * @property {(input: {answer: number}, signal: AbortSignal) => Promise<void>} leave
 * @property {(input: Omit<ProfileOptions, "signal"> & {metadata: Metadata}, signal: AbortSignal) =>
 *   Promise<{report: any, state: ExecutorState}>} profile
 * @property {(input: {contextLength: number | undefined}, signal: AbortSignal) => Promise<SequenceOutput>} sibling
 * @property {(input: {sequence: number}, signal: AbortSignal) => Promise<SequenceOutput>} fork
 * @property {(input: {sequence: number}, signal: AbortSignal) => Promise<void>} release ends a sequence
 * @property {(input: {}, signal: AbortSignal) => Promise<void>} dispose
 */
/** @typedef {keyof Calls} CallName */
/** @typedef {{id: number, name: CallName, input: any} | {id: number, abort: true}} Request to the worker */
/**
 * @typedef {object} Response of the worker to a call, or a report without one
 * @property {number | null} id of the call
 * @property {unknown} [output]
 * @property {import("../errors.js").ErrorMembers} [failure] an error of this package
 * @property {unknown} [error] another error
 * @property {import("../net/progress.js").Progress} [progress]
 */

export {};
