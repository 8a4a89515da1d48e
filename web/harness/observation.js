/** What came of a call: its result or its error, and the signal that may have ended it. */

/**
 * @typedef {string | number | undefined} Moment when a signal is aborted: "before", "loading", "waiting", or
 *   after pieces
 */
/**
 * @typedef {{name: string, code: string | null, rule: string | null, message: string, reason: boolean}}
 *   ErrorReport
 */
/**
 * @typedef {{error?: ErrorReport, [member: string]: unknown}} Observation as api.response.schema.json has it
 */

const MAX_TEXT = 300;
const HALF_PAIR = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** The signal of a call, aborted at the moment that its step names. */
export class CallSignal {
  #controller = new AbortController();
  #moment;
  reason = new Error("the caller changed its mind");

  /** @param {Moment} moment */
  constructor(moment) {
    this.#moment = moment;
    this.now("before");
  }

  /** The signal that the call gets; undefined where the step names no moment. */
  get passed() {
    return this.#moment === undefined ? undefined : this.#controller.signal;
  }

  /** Aborts, if this is the moment. @param {string | number} moment */
  now(moment) {
    if (this.#moment === moment) this.#controller.abort(this.reason);
  }

  /** Aborts after a time, if this is the moment. @param {string} moment @param {number} ms */
  soon(moment, ms) {
    if (this.#moment === moment) setTimeout(() => this.now(moment), ms);
  }
}

/**
 * Returns what an action returns, or its error, and whether that is the reason of the signal.
 *
 * @param {CallSignal} signal
 * @param {() => Promise<Observation>} action
 * @returns {Promise<Observation>}
 */
export async function observe(signal, action) {
  try {
    return await action();
  } catch (error) {
    const { name, code, rule, message } = /** @type {Record<string, unknown>} */ (error ?? {});
    const text = (/** @type {unknown} */ value) =>
      typeof value === "string" ? wellFormed(value).slice(0, MAX_TEXT) : null;
    return {
      error: {
        name: text(name) ?? "",
        code: text(code),
        rule: rule === undefined ? "undefined" : text(rule),
        message: text(message) ?? "",
        reason: error === signal.reason,
      },
    };
  }
}

/** Returns the observation of a call that returns nothing. @param {void} _ @returns {Observation} */
export function nothing(_) {
  return {};
}

/** @param {unknown} text @returns {Observation} */
export function textOf(text) {
  if (typeof text !== "string") throw new Error(`infer resolved to ${typeof text}, expected a text`);
  return { text: wellFormed(text) };
}

/** Returns a text that JSON can carry: `?` replaces halves of surrogate pairs. @param {string} text */
export function wellFormed(text) {
  return text.replace(HALF_PAIR, "?");
}
