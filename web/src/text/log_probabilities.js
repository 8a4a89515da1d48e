/** Log-probabilities of tokens (spec: Execution program, Log-probabilities). */

/** @typedef {{token: number, logprob: number}} Logprob */
/** @typedef {Logprob & {top: Logprob[]}} TokenLogprobs */

/**
 * Returns the log-probability of a token, and those of the most probable tokens (LLQ-GEN-14).
 *
 * @param {Float32Array} logits of all ids, before they are adjusted
 * @param {number} token
 * @param {number} count of the most probable tokens
 * @returns {TokenLogprobs}
 */
export function tokenLogprobs(logits, token, count) {
  const top = largest(logits, Math.max(1, count));
  const most = logits[top[0]];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const shift = most + Math.log(sum);
  const logprob = (/** @type {number} */ id) => ({ token: id, logprob: logits[id] - shift });
  return { ...logprob(token), top: top.slice(0, count).map(logprob) };
}

/**
 * Returns the ids of the largest logits, the lowest id first among equals.
 *
 * @param {Float32Array} logits
 * @param {number} count
 * @returns {number[]}
 */
function largest(logits, count) {
  /** @type {number[]} */
  const ids = [];
  const least = Math.min(count, logits.length);
  for (let id = 0; id < logits.length; id++) {
    if (ids.length === least && logits[id] <= logits[ids[least - 1]]) continue;
    let at = ids.length;
    while (at > 0 && logits[ids[at - 1]] < logits[id]) at--;
    ids.splice(at, 0, id);
    ids.length = Math.min(ids.length, least);
  }
  return ids;
}
