/** Numbers as people read them. */

const number = (/** @type {number} */ digits) =>
  new Intl.NumberFormat("en", { maximumFractionDigits: digits });

/** Returns bytes in units of 10^3: "82.9 MB". @param {number} count */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 999.95 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${number(unit ? 1 : 0).format(count)} ${units[unit]}`;
}

/** Returns a duration: "4 s", "2 min 5 s", "1 h 3 min". @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** @typedef {{tokens: number, start: number, first: number | null, last: number | null}} AnswerTimes in ms */

/**
 * Returns the tokens of an answer, the time to the first, and tokens per second after it.
 *
 * @param {AnswerTimes} times
 */
export function measured({ tokens, first, last, start }) {
  const parts = [`${tokens} ${tokens === 1 ? "token" : "tokens"}`];
  if (first !== null) parts.push(`the first after ${number(2).format((first - start) / 1000)} s`);
  if (tokens > 1 && first !== null && last !== null && last > first) {
    parts.push(`then ${number(1).format(((tokens - 1) * 1000) / (last - first))} tokens/s`);
  }
  return parts.join(", ");
}

/** Returns milliseconds, to three digits. @param {number} value */
export function milliseconds(value) {
  return `${Number(value.toPrecision(3))} ms`;
}
