/** Promises that have until a deadline. */

/** Time in ms in which an answer may still come after an abort: a worker that is ended costs more. */
const ABORT_MS = 100;
/** Time in ms for an answer that came while this thread was busy: its timer may be first. */
const GRACE_MS = 50;

/**
 * Returns an answer, or rejects if it does not come in time. An abort brings the deadline near.
 *
 * @template T
 * @param {Promise<T>} answer
 * @param {number} limit in ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function beforeDeadline(answer, limit, signal) {
  /** @type {ReturnType<typeof setTimeout>[]} */
  const timers = [];
  let abort = () => {};
  /** @type {Promise<never>} */
  const deadline = new Promise((_, reject) => {
    const expire = () => {
      timers.push(setTimeout(() => reject(new Error("the answer is late")), GRACE_MS));
    };
    abort = () => timers.push(setTimeout(expire, ABORT_MS));
    timers.push(setTimeout(expire, limit));
  });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    signal?.removeEventListener("abort", abort);
    for (const timer of timers) clearTimeout(timer);
  }
}
