/** How far loading is: bytes, speed, time left. */

/** @typedef {"metadata" | "program" | "device" | "weights" | "pipelines" | "ready"} Phase */
/**
 * @typedef {object} Progress
 * @property {Phase} phase
 * @property {string} file the file that arrives
 * @property {number} loaded bytes of all weights that have arrived and were checked
 * @property {number} total bytes of all weights; 0 until it is known
 * @property {number} bytesPerSecond over the last seconds, of what came from the network; 0 where unknown
 * @property {number | null} secondsLeft null where unknown
 * @property {boolean} cached whether what came last was in the cache
 */
/** @typedef {(progress: Progress) => void} OnProgress */

const WINDOW_MS = 5000;

/** Measures, and tells. */
export class ProgressMeter {
  #tell;
  /** @type {{at: number, bytes: number}[]} */
  #came = [];
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
  #fresh = 0;

  /** @param {OnProgress} [tell] */
  constructor(tell = () => {}) {
    this.#tell = tell;
  }

  /** @param {Phase} phase @param {string} [file] */
  phase(phase, file = "") {
    this.#now = { ...this.#now, phase, file };
    this.#tell(this.#now);
  }

  /** @param {number} bytes of all weights */
  expect(bytes) {
    this.#now = { ...this.#now, loaded: 0, total: bytes };
  }

  /** @param {number} bytes that came from the network */
  network(bytes) {
    this.#fresh += bytes;
    this.#came.push({ at: performance.now(), bytes });
  }

  /** @param {string} file @param {number} bytes of weights that were checked */
  weights(file, bytes) {
    const loaded = this.#now.loaded + bytes;
    const bytesPerSecond = this.#speed();
    const secondsLeft = bytesPerSecond > 0 ? (this.#now.total - loaded) / bytesPerSecond : null;
    const cached = this.#fresh === 0;
    this.#fresh = 0;
    this.#now = { ...this.#now, phase: "weights", file, loaded, bytesPerSecond, secondsLeft, cached };
    this.#tell(this.#now);
  }

  #speed() {
    const now = performance.now();
    this.#came = this.#came.filter(({ at }) => now - at <= WINDOW_MS);
    if (this.#came.length === 0) return 0;
    const ms = Math.max(1, now - this.#came[0].at);
    return (1000 * this.#came.reduce((sum, { bytes }) => sum + bytes, 0)) / ms;
  }
}
