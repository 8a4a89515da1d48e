/**
 * SHA-256 of bytes as they come.
 *
 * WebCrypto hashes whole buffers alone. What fits into one piece of a download is given to it; a part that
 * comes in several pieces is hashed here, so that no part has to lie in memory as a whole.
 */

const K = new Uint32Array(64);
const START = new Uint32Array(8);
fill();

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Returns the SHA-256 of bytes as 64 hexadecimal digits, by the platform.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<string>}
 */
export async function sha256(data) {
  if (globalThis.crypto?.subtle === undefined) {
    return new Sha256().update(data).digest(); // a page from a plain http: address has no WebCrypto
  }
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

/** A hash that grows. */
export class Sha256 {
  #state = START.slice();
  #words = new Uint32Array(64);
  #rest = new Uint8Array(64);
  #held = 0;
  #length = 0;

  /**
   * Adds bytes.
   *
   * @param {Uint8Array} data
   * @returns {this}
   */
  update(data) {
    this.#length += data.length;
    let at = 0;
    if (this.#held > 0) {
      at = Math.min(64 - this.#held, data.length);
      this.#rest.set(data.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < 64) return this;
      this.#blocks(this.#rest, 0, 64);
      this.#held = 0;
    }
    const end = at + (data.length - at - ((data.length - at) % 64));
    this.#blocks(data, at, end);
    this.#rest.set(data.subarray(end));
    this.#held = data.length - end;
    return this;
  }

  /** Returns the hash of all that was added, as 64 hexadecimal digits; nothing may be added afterwards. */
  digest() {
    const tail = new Uint8Array(this.#held < 56 ? 64 : 128);
    tail.set(this.#rest.subarray(0, this.#held));
    tail[this.#held] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(this.#length) * 8n);
    this.#blocks(tail, 0, tail.length);
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    this.#state.forEach((word, i) => view.setUint32(4 * i, word));
    return hex(bytes);
  }

  /** @param {Uint8Array} data @param {number} begin @param {number} end a multiple of 64 behind it */
  #blocks(data, begin, end) {
    const w = this.#words;
    const state = this.#state;
    let h0 = state[0] | 0,
      h1 = state[1] | 0,
      h2 = state[2] | 0,
      h3 = state[3] | 0;
    let h4 = state[4] | 0,
      h5 = state[5] | 0,
      h6 = state[6] | 0,
      h7 = state[7] | 0;
    for (let at = begin; at < end; at += 64) {
      for (let i = 0, p = at; i < 16; i++, p += 4) {
        w[i] = (data[p] << 24) | (data[p + 1] << 16) | (data[p + 2] << 8) | data[p + 3];
      }
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15] | 0;
        const y = w[i - 2] | 0;
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = ((((w[i - 16] | 0) + s0) | 0) + (((w[i - 7] | 0) + s1) | 0)) | 0;
      }
      let a = h0,
        b = h1,
        c = h2,
        d = h3,
        e = h4,
        f = h5,
        g = h6,
        h = h7;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (((((h + s1) | 0) + (g ^ (e & (f ^ g)))) | 0) + (((K[i] | 0) + (w[i] | 0)) | 0)) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (c & (a ^ b)))) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + t1) | 0;
        d = c;
        c = b;
        b = a;
        a = (t1 + t2) | 0;
      }
      h0 = (h0 + a) | 0;
      h1 = (h1 + b) | 0;
      h2 = (h2 + c) | 0;
      h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0;
      h5 = (h5 + f) | 0;
      h6 = (h6 + g) | 0;
      h7 = (h7 + h) | 0;
    }
    state.set([h0, h1, h2, h3, h4, h5, h6, h7]);
  }
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Computes the constants: the first 32 bits of the fractions of cube and square roots of the first primes. */
function fill() {
  const word = (/** @type {bigint} */ prime, /** @type {bigint} */ degree) => {
    // the integer root of prime · 2^(32 · degree), by bisection
    let low = 0n,
      high = 1n << 40n;
    const wanted = prime << (32n * degree);
    while (high - low > 1n) {
      const middle = (low + high) / 2n;
      if (middle ** degree <= wanted) low = middle;
      else high = middle;
    }
    return Number(low & 0xffffffffn);
  };
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) prime &&= n % d !== 0;
    if (!prime) continue;
    K[found] = word(BigInt(n), 3n);
    if (found < 8) START[found] = word(BigInt(n), 2n);
    found++;
  }
}
