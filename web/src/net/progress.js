/** The progress of loading: bytes, speed, time left. */

/** @typedef {"metadata" | "program" | "device" | "weights" | "pipelines" | "ready"} Phase */
/**
 * @typedef {object} Progress
 * @property {Phase} phase
 * @property {string} file the file that arrives
 * @property {number} loaded bytes of weights that have arrived and were checked
 * @property {number} total bytes of all weights; 0 until it is known
 * @property {number} bytesPerSecond over the last seconds, of what came from the network; 0 where unknown
 * @property {number | null} secondsLeft null where unknown
 * @property {boolean} cached whether what came last was in the cache
 */
/** @typedef {(progress: Progress) => void} OnProgress */

const WINDOW_MS = 5000;

/** Measures progress and reports it. */
export class ProgressMeter {
  #report;
  /** @type {{at: number, bytes: number}[]} */
  #arrivals = [];
  /** @type {Progress} */
  #now = {
    phase: "metadata",
    file: "",
    loaded: 0,
    total: 0,
    bytesPerSecond: 0,
    secondsLeft: null,
    cached: false,
  };

  /** @param {OnProgress} [report] */
  constructor(report = () => {}) {
    this.#report = report;
  }

  /** @param {Phase} phase @param {string} [file] */
  phase(phase, file = "") {
    this.#now = { ...this.#now, phase, file };
    this.#report(this.#now);
  }

  /** @param {number} bytes of all weights */
  expect(bytes) {
    this.#now = { ...this.#now, loaded: 0, total: bytes, cached: false };
  }

  /** @param {number} bytes that came from the network */
  network(bytes) {
    this.#arrivals.push({ at: performance.now(), bytes });
  }

  /** @param {string} file @param {number} bytes of weights that came @param {boolean} cached whether they were stored */
  weights(file, bytes, cached) {
    const loaded = this.#now.loaded + bytes;
    const bytesPerSecond = this.#speed();
    const secondsLeft = bytesPerSecond > 0 ? (this.#now.total - loaded) / bytesPerSecond : null;
    this.#now = { ...this.#now, phase: "weights", file, loaded, bytesPerSecond, secondsLeft, cached };
    this.#report(this.#now);
  }

  #speed() {
    const now = performance.now();
    this.#arrivals = this.#arrivals.filter(({ at }) => now - at <= WINDOW_MS);
    if (this.#arrivals.length === 0) return 0;
    const ms = Math.max(1, now - this.#arrivals[0].at);
    return (1000 * this.#arrivals.reduce((sum, { bytes }) => sum + bytes, 0)) / ms;
  }
}
