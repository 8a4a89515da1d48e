/**
 * The errors of this package, one class per cause. `code` is stable; `rule` is the violated rule of LLQ, or
 * null.
 */

import { SITE } from "./site.js";

/** @typedef {{rule?: string | null, code?: string, cause?: unknown}} ErrorDetails */
/**
 * @typedef {object} ErrorMembers
 * @property {string} kind of its class
 * @property {string} message
 * @property {string | null} rule
 * @property {string} code
 * @property {number | null} status
 */

/**
 * Returns the address of the page of a rule, or null without a rule or a site.
 *
 * @param {string | null} rule
 * @param {string} [site] its base address, which ends with a slash
 */
export function ruleAddress(rule, site = SITE) {
  return rule && site ? `${site}rules/${rule}.html` : null;
}

/** The class of all errors of this package. An abort is an AbortError of the platform instead. */
export class LLQError extends Error {
  #text;

  /** @param {string} message @param {ErrorDetails} [details] */
  constructor(message, { rule = null, code = "llq", cause } = {}) {
    super(rule === null ? message : `${rule}: ${message}`, { cause });
    this.name = new.target.name;
    /** @type {string} a stable name of the cause */
    this.code = code;
    /** @type {string | null} such as "LLQ-HASH-1" */
    this.rule = rule;
    /** @type {string | null} the address of the page of the rule, or null if there is none */
    this.ruleUrl = ruleAddress(rule);
    this.#text = message;
  }

  /** What another thread needs to make the same error, without its cause. @returns {ErrorMembers} */
  get members() {
    const status = this instanceof NetworkError ? this.status : null;
    const kind = Object.keys(CLASSES).find((name) => CLASSES[name] === this.constructor) ?? "other";
    return { kind, message: this.#text, rule: this.rule, code: this.code, status };
  }
}

/**
 * WebGPU, or a part of it that this package needs, is not available: `no-webgpu`, `no-adapter`, `no-device`,
 * `no-variant`.
 */
export class UnsupportedError extends LLQError {}

/** The package violates a rule, or lacks a program: `package`, `hash`, `no-program`. */
export class PackageError extends LLQError {
  /** @param {string} message @param {ErrorDetails} [details] */
  constructor(message, { code = "package", ...details } = {}) {
    super(message, { code, ...details });
  }
}

/** A file did not arrive: `status`, `html`, `network`, `cut`, `stalled`, `range`, `redirect`. */
export class NetworkError extends LLQError {
  /** @param {string} message @param {ErrorDetails & {status?: number | null}} [details] */
  constructor(message, { code = "network", status = null, ...details } = {}) {
    super(message, { code, ...details });
    /** @type {number | null} of HTTP, where there was an answer */
    this.status = status;
  }
}

/** The device failed: `device`, `out-of-memory`, `shader`, `wrong`. */
export class DeviceError extends LLQError {
  /** @param {string} message @param {ErrorDetails} [details] */
  constructor(message, { code = "device", ...details } = {}) {
    super(message, { code, ...details });
  }
}

/** The device was lost, and opening it again did not help. */
export class DeviceLostError extends DeviceError {
  /** @param {string} message @param {ErrorDetails} [details] */
  constructor(message, { code = "device-lost", ...details } = {}) {
    super(message, { code, ...details });
  }
}

/** More positions than the context holds. */
export class ContextError extends LLQError {
  /** @param {string} message */
  constructor(message) {
    super(message, { code: "context" });
  }
}

/** An invalid argument. */
export class InputError extends LLQError {
  /** @param {string} message */
  constructor(message) {
    super(message, { code: "input" });
  }
}

/** A tokenizer that cannot be read, or a package without one: `tokenizer`, `no-tokenizer`, `no-template`. */
export class TokenizerError extends LLQError {
  /** @param {string} message @param {ErrorDetails} [details] */
  constructor(message, { code = "tokenizer", ...details } = {}) {
    super(message, { code, ...details });
  }
}

/** More sessions than the model may have. */
export class SessionLimitError extends LLQError {
  /** @param {string} message */
  constructor(message) {
    super(message, { code: "sessions" });
  }
}

/** The model or the session was disposed of. */
export class DisposedError extends LLQError {
  constructor(message = "the model was disposed of") {
    super(message, { code: "disposed" });
  }
}

/**
 * The classes by names that no build shortens.
 *
 * @type {Record<string, new (message: any, details?: any) => LLQError>}
 */
const CLASSES = {
  unsupported: UnsupportedError,
  package: PackageError,
  network: NetworkError,
  device: DeviceError,
  "device-lost": DeviceLostError,
  context: ContextError,
  input: InputError,
  tokenizer: TokenizerError,
  sessions: SessionLimitError,
  disposed: DisposedError,
  other: LLQError,
};

/** Returns the error that another thread has thrown. @param {ErrorMembers} members */
export function errorOf({ kind, message, ...details }) {
  return new (CLASSES[kind] ?? LLQError)(message, details);
}
