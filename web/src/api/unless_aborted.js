/** Promises whose caller may change its mind. */

/**
 * Waits for a promise, or rejects with the reason of a signal as soon as it is aborted. What the promise is
 * about goes on, unless it ends by itself.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
export async function unlessAborted(promise, signal) {
  if (signal === undefined) return promise;
  promise.catch(() => {}); // it may fail later, when nobody waits for it
  signal.throwIfAborted();
  let stop = () => {};
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    signal.throwIfAborted(); // its reason comes before other errors
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
