/** A limit to the time for an answer of a store. */

/**
 * Returns the answer; fails with a TimeoutError of the platform, which can be copied, where there is none in time.
 *
 * @template T
 * @param {number} limit in ms
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
export async function withinTime(limit, answer) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new DOMException(`the store does not answer within ${limit} ms`, "TimeoutError")),
      limit,
    );
  });
  try {
    return await Promise.race([answer, /** @type {Promise<never>} */ (silence)]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {unknown} error whether a store did not answer */
export function isSilence(error) {
  return error instanceof DOMException && error.name === "TimeoutError";
}
