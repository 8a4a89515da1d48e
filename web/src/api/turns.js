/** Calls that are answered one after another, in the order in which they were made (LLQ-API-19). */

import { unlessAborted } from "./unless_aborted.js";

/** The turns of calls. */
export class Turns {
  /** @type {Promise<unknown>} what is being answered */
  #busy = Promise.resolve();

  /**
   * Waits until no earlier call is answered, and returns a function that ends this turn.
   *
   * @param {AbortSignal} stop
   * @returns {Promise<() => void>}
   */
  async next(stop) {
    const before = this.#busy;
    /** @type {() => void} */
    let release = () => {};
    this.#busy = new Promise((resolve) => {
      release = () => resolve(undefined);
    });
    try {
      await unlessAborted(before, stop);
    } catch (error) {
      before.then(release); // later calls still wait for earlier ones
      throw error;
    }
    return release;
  }

  /**
   * Runs an action at its turn, which ends with the action, even if the caller no longer waits for it.
   *
   * @template T
   * @param {AbortSignal} stop
   * @param {() => Promise<T>} action
   * @returns {Promise<T>}
   */
  async run(stop, action) {
    const release = await this.next(stop);
    const running = action();
    running.then(release, release);
    return unlessAborted(running, stop);
  }
}
