/** The sessions of a model, and their limit (spec: Runtime API). */

import { SessionLimitError } from "../errors.js";
import { Session } from "./session.js";

/** @typedef {import("./answer.js").Answering} Answering */
/**
 * @typedef {object} SessionOptions
 * @property {number} [contextLength] positions of the session; at most the model's, and the model's by default
 * @property {AbortSignal} [signal]
 */

/** Default maximum number of sessions at the same time. */
export const MAX_SESSIONS = 8;

/** The names of all options. @satisfies {readonly (keyof SessionOptions)[]} */
export const SESSION_OPTIONS = ["contextLength", "signal"];

/** The sessions that were made and not disposed of. */
export class Sessions {
  #limit;
  /** @type {Set<Session>} */
  #open = new Set();

  /** @param {number} limit maximum number of sessions */
  constructor(limit) {
    this.#limit = limit;
  }

  /** Bytes on the device. */
  get bytes() {
    return [...this.#open].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Makes an empty session at its turn.
   *
   * @param {Answering} model
   * @param {number | undefined} contextLength
   * @param {AbortSignal | undefined} signal
   */
  async open(model, contextLength, signal) {
    const make = async () => new Session(model, this, await model.sequence.sibling(contextLength));
    return this.add(model, make, signal);
  }

  /**
   * Adds a session that is made at its turn.
   *
   * @param {Answering} model
   * @param {() => Promise<Session>} make
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Session>}
   */
  async add(model, make, signal) {
    const stop = model.stop(signal);
    return model.turns.run(stop, async () => {
      if (this.#open.size >= this.#limit) {
        throw new SessionLimitError(
          `the model has ${this.#open.size} sessions (allowed: ${this.#limit}): ` +
            "dispose of one, or load the model with another maxSessions",
        );
      }
      const session = await make();
      this.#open.add(session);
      if (stop.aborted) session.dispose(); // nobody gets it
      return session;
    });
  }

  /** Removes a session that was disposed of. @param {Session} session */
  remove(session) {
    this.#open.delete(session);
  }

  /** Disposes of all sessions. */
  dispose() {
    for (const session of this.#open) session.dispose();
  }
}
