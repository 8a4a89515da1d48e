/** Times of the stages of loading, as measures of the platform's timeline, which its developer tools show. */

/** What the names of all measures begin with. */
export const PREFIX = "webgpu-llama4 ";

/**
 * Does an action and measures it.
 *
 * @template T
 * @param {string} stage
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function measured(stage, action) {
  const start = performance.now();
  try {
    return await action();
  } finally {
    performance.measure(PREFIX + stage, { start, end: performance.now() });
  }
}

/**
 * Takes the measures of this thread.
 *
 * @returns {[stage: string, ms: number][]}
 */
export function takeMeasures() {
  const entries = performance.getEntriesByType("measure").filter(({ name }) => name.startsWith(PREFIX));
  for (const { name } of entries) performance.clearMeasures(name);
  return entries.map(({ name, duration }) => [name.slice(PREFIX.length), duration]);
}

/** Adds measures that another thread has taken, as if they had ended now. @param {[string, number][]} measures */
export function addMeasures(measures) {
  const end = performance.now();
  for (const [stage, duration] of measures) {
    performance.measure(PREFIX + stage, { start: Math.max(0, end - duration), end });
  }
}
