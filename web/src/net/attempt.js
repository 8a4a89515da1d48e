/** One request among those that a file takes, and the wait between two. */

/** One request, which is given up where no byte comes for a while. */
export class Attempt {
  #stop = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stall;
  stalled = false;
  progress = false;

  /** @param {AbortSignal | undefined} signal @param {number} stall */
  constructor(signal, stall) {
    this.#stall = stall;
    this.signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    this.alive();
  }

  /** Bytes came, or are about to. */
  alive() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.stalled = true;
      this.#stop.abort();
    }, this.#stall);
  }

  /** Nothing is waited for. */
  rest() {
    clearTimeout(this.#timer);
  }

  /** Frees the connection, if it is still there. */
  end() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }
}

/** @param {number} ms @param {AbortSignal} [signal] */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
