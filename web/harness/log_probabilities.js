/** Log-probabilities that a stream reports (spec: Runtime API). */

/** Returns log-probabilities as JSON has them, null where there are none. @param {unknown} logprobs */
export function logprobsOf(logprobs) {
  if (!Array.isArray(logprobs)) return null;
  const pair = (/** @type {any} */ one) => ({
    token: one?.token ?? null,
    logprob: Number.isFinite(one?.logprob) ? one.logprob : null,
  });
  return logprobs.map((of) => ({ ...pair(of), top: Array.from(of?.top ?? [], pair) }));
}
