/** Types of webgpu-llama4, written by hand: they need neither types of WebGPU nor those of other packages. */

/** The type of a global of the platform, or any object where the types of the platform lack it. */
type Platform<Name extends string> = typeof globalThis extends Record<
  Name,
  { prototype: infer Instance }
>
  ? Instance
  : object;

type PlatformDevice = Platform<"GPUDevice">;
type PlatformGpu = Platform<"GPU">;

export type Phase = "metadata" | "program" | "device" | "weights" | "pipelines" | "ready";

export interface Progress {
  phase: Phase;
  /** The file that arrives. */
  file: string;
  /** Bytes of weights that have arrived and were checked. */
  loaded: number;
  /** Bytes of all weights; 0 until it is known. */
  total: number;
  /** Speed over the last seconds, of what came from the network; 0 where it is unknown. */
  bytesPerSecond: number;
  /** null where it is unknown. */
  secondsLeft: number | null;
  /** Whether what came last was in the cache. */
  cached: boolean;
}

export interface FetchOptions {
  /** Called with numbers of bytes as they come from the network. */
  onNetwork?: (bytes: number) => void;
  /** Requests at a time. */
  parallel?: number;
  /** How often a request is made that brings nothing. */
  attempts?: number;
  /** Time before the second attempt in ms; it doubles. */
  delay?: number;
  /** Time without a byte after which a connection counts as cut, in ms. */
  stall?: number;
  /** Longest time that a server can make a client wait, in ms. */
  maxWait?: number;
}

/** Where the files of a package come from. */
export interface Source {
  metadata(signal?: AbortSignal, retries?: Partial<FetchOptions>): Promise<Uint8Array<ArrayBuffer>>;
  piece(
    entry: { file: string; byte_length: number; sha256: string },
    piece: { offset: number; length: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** What requests carry, and who makes them. */
export interface RequestOptions {
  /** Makes all requests, in the thread of the page; the platform's `fetch` by default. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Sent with every request to the origin of the first address. */
  headers?: Record<string, string> | Headers | undefined;
  /** Of every request to the origin of the first address; "same-origin" by default. */
  credentials?: "omit" | "same-origin" | "include" | undefined;
}

/** The address of a package, or the addresses of its mirrors, which are tried in order. */
export type PackageAddress = string | URL | readonly (string | URL)[];

export interface LoadOptions extends RequestOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Whether to store what was loaded, true by default, or the storage to use. */
  cache?: boolean | Platform<"CacheStorage"> | undefined;
  /** A device to use, or the GPU object of a platform that has no navigator.gpu. */
  device?: PlatformDevice | PlatformGpu | undefined;
  /** Positions of the KV cache; at most those of the model; 2048 by default. */
  contextLength?: number | undefined;
  /** Maximum number of sessions at the same time; 8 by default. */
  maxSessions?: number | undefined;
  /** The only variant of the module that may be used, for measurements. */
  variant?: string | undefined;
  /** How files are fetched. */
  fetching?: FetchOptions | undefined;
  /** Files of the package, in place of the address. */
  source?: Source | undefined;
}

export interface Message {
  role: string;
  content: string;
}

/**
 * Returns the ids that are allowed after the ids of the answer so far: bit id mod 32 of word floor(id / 32),
 * or null, which allows all.
 */
export type MaskHook = (ids: readonly number[]) => Uint32Array | null | Promise<Uint32Array | null>;

/** The natural logarithm of a token's probability, before options change it. */
export interface Logprob {
  token: number;
  logprob: number;
}

export interface TokenLogprobs extends Logprob {
  /** The most probable tokens. */
  top: Logprob[];
}

export interface InferOptions {
  /** 128 by default. */
  maxTokens?: number | undefined;
  /** 0, the default, is greedy. */
  temperature?: number | undefined;
  /** 0, the default, keeps all. */
  topK?: number | undefined;
  /** 1, the default, keeps all. */
  topP?: number | undefined;
  /** From 0 to 1: the smallest weight relative to that of the most probable token; 0, the default, keeps all. */
  minP?: number | undefined;
  /** Above 0, of tokens of the prompt and of the answer; 1, the default, has no effect. */
  repetitionPenalty?: number | undefined;
  /** What is added to the logits of ids. */
  logitBias?: Readonly<Record<number, number>> | undefined;
  /** 64 bits; drawn at random by default. */
  seed?: number | bigint | undefined;
  /** Texts that end the answer; they are not part of it. */
  stop?: string | string[] | undefined;
  /** How many of the most probable tokens a stream reports with each token; by default it reports none. */
  logprobs?: number | undefined;
  /** Gives the ids that are allowed next. */
  mask?: MaskHook | undefined;
  signal?: AbortSignal | undefined;
}

export interface ProfileOptions {
  tokens?: number | undefined;
  promptTokens?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What a profile measures, as spec/schema/profile.schema.json describes it. */
export interface ProfileReport {
  [member: string]: any;
  block_times_ms: (number | null)[];
  memory_usage_mb: number;
  workgroup_occupancy: number;
}

export interface TokenizerOptions {
  bosTokenId?: number | null | undefined;
  eosTokenIds?: readonly number[] | undefined;
  chatTemplate?: string | null | undefined;
  specialTokens?: Readonly<Record<string, string>> | null | undefined;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

export type FinishReason = "stop" | "length" | "aborted" | "error";

/** An answer as it comes: pieces of text, never a part of a character. It can be read once. */
export declare class TextStream implements AsyncIterable<string> {
  private constructor();
  readonly usage: Usage;
  /** null until the stream has ended. */
  readonly finishReason: FinishReason | null;
  /** Of each token that was chosen so far; null without the option `logprobs`. */
  readonly logprobs: TokenLogprobs[] | null;
  [Symbol.asyncIterator](): AsyncGenerator<string, void, void>;
}

export declare class Tokenizer {
  private constructor();
  static fromJson(text: string, options?: TokenizerOptions): Promise<Tokenizer>;
  static fromVocab(vocab: string, merges: string, options?: TokenizerOptions): Promise<Tokenizer>;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  encode(text: string): Promise<number[]>;
  decode(ids: readonly number[]): Promise<string>;
  /** Returns the prompt of messages, by the chat template. */
  chat(messages: readonly Message[]): Promise<string>;
}

export interface DeviceReport {
  name: string;
  vendor: string;
  architecture: string;
  /** The variant of the module that is executed. */
  variant: string;
  /** Whether the adapter computes on the CPU, as far as it is known. */
  software: boolean;
}

/** The entry of a file in metadata.json. */
export interface FileEntry {
  file: string;
  byte_length: number;
  sha256: string;
}

/** The members of metadata.json that pages use; the specification has all. */
export interface Metadata {
  [member: string]: any;
  stem: string;
  digest: string;
  shards: readonly FileEntry[];
  tokenizer?: FileEntry & { chat_template?: string; eos_token_ids: number[]; bos_token_id: number | null };
}

export interface SessionOptions {
  /** Positions of the KV cache of the session; at most those of the model, which are the default. */
  contextLength?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** A sequence of tokens with a KV cache of its own. Its calls wait for their turn among those of the model. */
export declare class Session {
  private constructor();
  /** Answers a prompt as the model does, but keeps what the sequence has in common with it; null continues the sequence. */
  infer(prompt: string | readonly Message[] | null, options?: InferOptions): Promise<string>;
  stream(prompt: string | readonly Message[] | null, options?: InferOptions): TextStream;
  /** Adds a text to the end of the sequence, and computes it. */
  append(text: string, options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Keeps the first tokens of the sequence alone. */
  truncate(length: number, options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Makes a session with the same sequence and a copy of its KV cache. */
  fork(options?: { signal?: AbortSignal | undefined }): Promise<Session>;
  /** Frees the memory of the session; its calls that are under way or wait fail. */
  dispose(): void;
  /** Number of tokens of the sequence. */
  readonly length: number;
  readonly contextLength: number;
  /** Bytes on the device that only this session uses. */
  readonly bytes: number;
}

/** A model. It answers one call at a time; others wait. */
export declare class Model {
  private constructor();
  infer(prompt: string | readonly Message[], options?: InferOptions): Promise<string>;
  stream(prompt: string | readonly Message[], options?: InferOptions): TextStream;
  /** Makes a session: a sequence of its own, which keeps what was computed of it. */
  createSession(options?: SessionOptions): Promise<Session>;
  profile(options?: ProfileOptions): Promise<ProfileReport>;
  /** Frees the device; calls that are under way or wait fail. */
  dispose(): void;
  /** The tokenizer of the package; another may take its place. */
  tokenizer: Tokenizer | null;
  readonly contextLength: number;
  readonly metadata: Metadata;
  readonly device: DeviceReport;
  /** Returns bytes on the device by purpose. */
  memory(): Record<string, number>;
}

export interface ErrorDetails {
  rule?: string | null;
  code?: string;
  cause?: unknown;
}

/** The class of all errors of this package. An abort is the reason of its signal instead. */
export declare class LLQError extends Error {
  constructor(message: string, details?: ErrorDetails);
  code: string;
  rule: string | null;
  ruleUrl: string | null;
}
export declare class UnsupportedError extends LLQError {}
export declare class PackageError extends LLQError {}
export declare class NetworkError extends LLQError {
  constructor(message: string, details?: ErrorDetails & { status?: number | null });
  status: number | null;
}
export declare class DeviceError extends LLQError {}
export declare class DeviceLostError extends DeviceError {}
export declare class ContextError extends LLQError {
  constructor(message: string);
}
export declare class InputError extends LLQError {
  constructor(message: string);
}
export declare class TokenizerError extends LLQError {}
export declare class SessionLimitError extends LLQError {
  constructor(message: string);
}
export declare class DisposedError extends LLQError {
  constructor(message?: string);
}
/** Returns the address of the page of a rule, or null without a rule or a site. */
export declare function ruleAddress(rule: string | null, site?: string): string | null;

export declare const WebGPULlama4: {
  loadModel(url: PackageAddress, options?: LoadOptions): Promise<Model>;
  /** Loads a model in a worker of its own; `fetch`, `device`, `source` and a storage cannot be passed to it. */
  inWorker(url: PackageAddress, options?: LoadOptions): Promise<Model>;
  createTokenizer(
    vocabUrl: string | URL,
    options?: TokenizerOptions & RequestOptions & { signal?: AbortSignal | undefined },
  ): Promise<Tokenizer>;
  /** What earlier loads stored on this platform. */
  cache: {
    list(): Promise<{ url: string; bytes: number }[]>;
    clear(url?: string | URL): Promise<void>;
  };
};
