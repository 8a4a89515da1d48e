/** Statistics of measurements. */

/** Returns the median, null of no values. @param {number[]} values @returns {number | null} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return null;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Returns a number rounded to some decimal places. @param {number} value @param {number} [count] */
export function digits(value, count = 6) {
  return Number(value.toFixed(count));
}
