// Time limits of the tests, which LLQ_TEST_TIMEOUT_SCALE multiplies, as in tests/support/timeouts.py.

const SCALE = Number(process.env.LLQ_TEST_TIMEOUT_SCALE ?? 10);

/** Returns a time limit in milliseconds, from the seconds that are plenty on an idle machine. @param {number} seconds */
export const milliseconds = (seconds) => 1000 * seconds * SCALE;
