/** Requests that are made again: one attempt, and the pause before the next. */

import { InputError, NetworkError, PackageError } from "../errors.js";

/**
 * @typedef {object} RetryOptions
 * @property {number} attempts how often a request is made that brings nothing
 * @property {number} delay ms before the second attempt; it doubles
 * @property {number} stall ms without a byte after which a connection counts as cut
 * @property {number} maxWait longest time that a server can make a client wait, in ms
 */

/** Codes of errors that another attempt cannot change. */
const PERMANENT = ["html", "redirect", "range"];

/** One request, which is given up where no byte comes for a while. */
export class Attempt {
  #stop = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stall;
  stalled = false;

  /** @param {AbortSignal | undefined} signal @param {number} stall ms without a byte after which it ends */
  constructor(signal, stall) {
    this.#stall = stall;
    this.signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    this.alive();
  }

  /** Restarts the timer, because bytes arrived or are about to arrive. */
  alive() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.stalled = true;
      this.#stop.abort();
    }, this.#stall);
  }

  /** Stops the time: nothing is waited for. */
  rest() {
    clearTimeout(this.#timer);
  }

  /** Frees the connection, if it is still there. */
  end() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }
}

/**
 * @typedef {"done" | "partial" | "nothing"} Outcome of an attempt: all bytes, some of them, or none have come
 */

/**
 * Makes attempts until one is done. Attempts that bring some bytes do not count.
 *
 * @param {import("./endpoint.js").Endpoint} endpoint for messages
 * @param {string} name of the file
 * @param {RetryOptions} options
 * @param {AbortSignal | undefined} signal
 * @param {(attempt: Attempt) => Promise<Outcome>} action
 * @param {() => Attempt | null} [ongoing] an earlier attempt that goes on
 * @returns {Promise<void>}
 * @throws {NetworkError | PackageError}
 */
export async function retried(
  endpoint,
  name,
  { attempts, delay, stall, maxWait },
  signal,
  action,
  ongoing = () => null,
) {
  const url = endpoint.url + name;
  /** @type {unknown} */
  let cause;
  for (let tries = 0; tries < attempts; ) {
    signal?.throwIfAborted();
    if (tries > 0) await pause(Math.max(delay * 2 ** (tries - 1), Math.min(maxWait, waitOf(cause))), signal);
    const attempt = ongoing() ?? new Attempt(signal, stall);
    try {
      const outcome = await action(attempt);
      if (outcome === "done") return;
      cause = new NetworkError(`${url}: the connection was cut`, { code: "cut" });
      tries = outcome === "partial" ? 1 : tries + 1;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PackageError || error instanceof InputError) throw error;
      if (error instanceof NetworkError && !isPassing(error)) throw error;
      cause = attempt.stalled
        ? new NetworkError(`${url}: no byte came for ${stall} ms`, {
            code: "stalled",
            cause: endpoint.withoutSecrets(error),
          })
        : endpoint.withoutSecrets(error);
      tries++;
    } finally {
      if (ongoing() === attempt) attempt.rest();
      else attempt.end();
    }
  }
  if (cause instanceof NetworkError) throw cause;
  const reason = cause instanceof Error ? cause.message : "the connection failed";
  throw new NetworkError(`${url} could not be fetched: ${reason}`, { cause });
}

/** @param {NetworkError} error whether it may pass by itself */
function isPassing({ status, code }) {
  if (PERMANENT.includes(code)) return false;
  return status === null || status === 408 || status === 429 || status >= 500;
}

/** @param {unknown} error @returns {number} ms that the server asked to wait */
function waitOf(error) {
  const cause = error instanceof NetworkError ? error.cause : undefined;
  if (typeof cause !== "object" || cause === null || !("retryAfter" in cause)) return 0;
  return Number(cause.retryAfter);
}

/** @param {number} ms @param {AbortSignal} [signal] */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
