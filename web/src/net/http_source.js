/** A package behind HTTP: files in pieces, several at a time, taken up again where a connection was cut. */

import { NetworkError, PackageError } from "../errors.js";
import { MAX_METADATA_BYTES, METADATA_NAME } from "../package/metadata.js";
import { Attempt, pause } from "./attempt.js";

/** @typedef {import("./cache.js").PackageCache} PackageCache */
/** @typedef {import("./package.js").Piece} Piece */
/** @typedef {import("./package.js").Source} Source */
/** @typedef {import("../package/metadata.js").FileEntry} FileEntry */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * @typedef {object} FetchOptions
 * @property {PackageCache | null} [cache] where pieces are kept
 * @property {(bytes: number) => void} [onNetwork] is told of bytes as they come from the network
 * @property {number} [parallel] requests at a time; so many pieces are in memory
 * @property {number} [attempts] how often a request is made that brings nothing
 * @property {number} [delay] ms before the second attempt; it doubles
 * @property {number} [stall] ms without a byte after which a connection counts as cut
 */

/** The files of a package under an address that ends with a slash. */
export class HttpSource {
  #options;

  /** @param {string} url @param {FetchOptions} [options] */
  constructor(url, options = {}) {
    this.url = url;
    const none = { cache: null, onNetwork: () => {}, parallel: 4, attempts: 5, delay: 250, stall: 30_000 };
    this.#options = { ...none, ...options };
  }

  /** @param {AbortSignal} [signal] @returns {Promise<Bytes>} */
  async metadata(signal) {
    const { cache } = this.#options;
    const url = this.url + METADATA_NAME;
    try {
      return await this.#retried(url, signal, async (one) => {
        const response = await ask(url, { signal: one.signal, cache: "no-cache" });
        expectFile(response, url);
        if (new URL(response.url || url).origin !== new URL(url).origin) {
          // the other files are held to its hashes, but nothing holds this one
          throw new NetworkError(`${url} was redirected to ${new URL(response.url).origin}: ask there`, {
            code: "redirect",
          });
        }
        const bytes = await whole(response, url, one);
        if (bytes[0] === 0x3c) throw page(url);
        return bytes;
      });
    } catch (error) {
      const kept =
        error instanceof NetworkError && error.status === null ? await cache?.metadata(this.url) : null;
      if (!kept) throw error;
      return kept; // offline
    }
  }

  /**
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *pieces(entry, pieces, signal) {
    const stop = new AbortController();
    const joined = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const state = { ranges: /** @type {boolean | null} */ (null) };
    /** @type {Promise<Bytes>[]} */
    const flight = [];
    let asked = 0;
    try {
      for (let given = 0; given < pieces.length; given++) {
        // the first alone: it tells whether the server knows ranges
        const ahead = state.ranges === null && given === 0 ? 1 : this.#options.parallel;
        for (; asked < pieces.length && flight.length < ahead && state.ranges !== false; asked++) {
          const piece = this.#piece(entry, pieces[asked], joined, state);
          piece.catch(() => {}); // whoever awaits it is told
          flight.push(piece);
        }
        const first = flight.shift();
        if (first === undefined) {
          yield* this.#stream(entry, pieces.slice(given), joined);
          return;
        }
        yield await first;
      }
    } finally {
      stop.abort();
    }
  }

  /** @param {FileEntry} entry @param {Piece[]} pieces */
  async forget(entry, pieces) {
    await this.#options.cache?.drop(this.url, entry, pieces);
  }

  /**
   * Returns one piece, out of the cache or by requests for what is missing of it.
   *
   * @param {FileEntry} entry
   * @param {Piece} piece
   * @param {AbortSignal} signal
   * @param {{ranges: boolean | null}} state is told whether the server knows ranges
   * @returns {Promise<Bytes>}
   */
  async #piece(entry, piece, signal, state) {
    const { cache, onNetwork } = this.#options;
    const kept = await cache?.piece(this.url, entry, piece);
    if (kept) return kept;
    const url = this.url + entry.file;
    const bytes = new Uint8Array(piece.length);
    let done = 0;
    await this.#retried(url, signal, async (one) => {
      const from = piece.offset + done;
      const last = piece.offset + piece.length - 1;
      const all = from === 0 && piece.length === entry.byte_length;
      const headers = all ? undefined : { range: `bytes=${from}-${last}` };
      const response = await ask(url, { headers, signal: one.signal, cache: "no-store" });
      if (response.status === 416) throw tooShort(entry, "less");
      expectFile(response, url);
      let skip = 0;
      if (response.status === 206) {
        if (isEncoded(response)) {
          // a range of compressed bytes is of no use; without a range the platform decompresses
          state.ranges = false;
          response.body?.cancel().catch(() => {});
          const plain = await ask(url, { signal: one.signal, cache: "no-store" });
          expectFile(plain, url);
          const came = await fill(plain, one, bytes, done, from, onNetwork, entry);
          done += came;
          return done === piece.length ? bytes : came > 0 ? null : undefined;
        }
        checkRange(response, from, entry);
        state.ranges ??= true;
      } else {
        if (!all) state.ranges = false;
        checkLength(response, entry);
        skip = from;
      }
      const came = await fill(response, one, bytes, done, skip, onNetwork, entry);
      done += came;
      return done === piece.length ? bytes : came > 0 ? null : undefined;
    });
    await cache?.putPiece(this.url, entry, piece, bytes);
    return bytes;
  }

  /**
   * Yields pieces out of one answer with the whole file, for servers that know no ranges. After a cut the answer
   * begins anew, and what was had is skipped.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *#stream(entry, pieces, signal) {
    const { cache, onNetwork } = this.#options;
    const url = this.url + entry.file;
    /** @type {{reader: ReadableStreamDefaultReader<Bytes>, one: Attempt, at: number, rest: Bytes} | null} */
    let open = null;
    for (const piece of pieces) {
      const kept = await cache?.piece(this.url, entry, piece);
      if (kept) {
        yield kept;
        continue;
      }
      const bytes = new Uint8Array(piece.length);
      let done = 0;
      await this.#retried(
        url,
        signal,
        async (one) => {
          if (open === null) {
            const response = await ask(url, { signal: one.signal, cache: "no-store" });
            expectFile(response, url);
            checkLength(response, entry);
            open = { reader: readerOf(response), one, at: 0, rest: new Uint8Array(0) };
          }
          const begin = done;
          while (done < piece.length) {
            if (open.rest.length === 0) {
              open.one.alive();
              const { value, done: ended } = await open.reader
                .read()
                .catch((/** @type {unknown} */ cause) => {
                  open = null;
                  throw cause;
                });
              if (ended || value === undefined) {
                const { at } = open;
                open = null;
                if (at >= entry.byte_length) throw tooShort(entry, `${at} bytes`);
                return done > begin ? null : undefined;
              }
              open.rest = value;
              onNetwork(value.length);
            }
            const skip = Math.min(open.rest.length, Math.max(0, piece.offset + done - open.at));
            const take = open.rest.subarray(skip, Math.min(open.rest.length, skip + piece.length - done));
            bytes.set(take, done);
            done += take.length;
            open.at += skip + take.length;
            open.rest = open.rest.subarray(skip + take.length);
          }
          return bytes;
        },
        () => open?.one ?? null,
      );
      await cache?.putPiece(this.url, entry, piece, bytes);
      yield bytes;
    }
    /** @type {any} */ (open)?.one.end();
  }

  /**
   * Does something until it returns a value: null says that some of it came, undefined that nothing did.
   *
   * @template T
   * @param {string} url
   * @param {AbortSignal | undefined} signal
   * @param {(one: Attempt) => Promise<T | null | undefined>} action
   * @param {() => Attempt | null} [current] an attempt of before that goes on
   * @returns {Promise<T>}
   */
  async #retried(url, signal, action, current = () => null) {
    const { attempts, delay, stall } = this.#options;
    /** @type {unknown} */
    let cause;
    for (let tries = 0; tries < attempts; ) {
      signal?.throwIfAborted();
      if (tries > 0) await pause(Math.max(delay * 2 ** (tries - 1), waitOf(cause)), signal);
      const one = current() ?? new Attempt(signal, stall);
      try {
        const found = await action(one);
        if (found !== null && found !== undefined) return found;
        cause = new NetworkError(`${url}: the connection was cut`, { code: "cut" });
        tries = found === null ? 1 : tries + 1;
      } catch (error) {
        signal?.throwIfAborted();
        const fatal = error instanceof PackageError || (error instanceof NetworkError && !isPassing(error));
        if (fatal) throw error;
        cause = one.stalled
          ? new NetworkError(`${url}: no byte came for ${stall} ms`, { code: "stalled", cause: error })
          : error;
        tries = one.progress ? 1 : tries + 1;
        one.progress = false;
      } finally {
        if (current() === one) one.rest();
        else one.end();
      }
    }
    if (cause instanceof NetworkError) throw cause;
    throw new NetworkError(`${url} could not be fetched: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

/** @param {string} url @param {RequestInit} init */
async function ask(url, init) {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new NetworkError(`${url} cannot be reached`, { cause });
  }
}

/** @param {Response} response @param {string} url */
function expectFile(response, url) {
  if (!response.ok) {
    const code = response.status === 404 ? "not-found" : "status";
    const after = Number(response.headers.get("retry-after"));
    const cause = after > 0 ? { retryAfter: 1000 * after } : undefined;
    throw new NetworkError(`${url}: the server answers ${response.status}`, {
      code,
      status: response.status,
      cause,
    });
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) throw page(url);
}

/** @param {string} url */
function page(url) {
  return new NetworkError(`${url} is a web page and no file of a package: is the address right?`, {
    code: "html",
  });
}

/** @param {NetworkError} error whether it may pass by itself */
function isPassing({ status, code }) {
  if (code === "html" || code === "redirect" || code === "range") return false;
  return status === null || status === 408 || status === 429 || status >= 500;
}

/** @param {unknown} error ms that the server asked to wait, at most a minute */
function waitOf(error) {
  const cause = error instanceof NetworkError ? /** @type {any} */ (error.cause) : undefined;
  return Math.min(60_000, cause?.retryAfter ?? 0);
}

/** @param {Response} response */
function isEncoded(response) {
  const encoding = response.headers.get("content-encoding");
  return encoding !== null && encoding !== "" && encoding !== "identity";
}

/** @param {Response} response @param {number} from @param {FileEntry} entry */
function checkRange(response, from, entry) {
  const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  if (found === null) return; // other origins may hide it; then the hash decides
  if (found[3] !== "*" && Number(found[3]) !== entry.byte_length) throw tooShort(entry, `${found[3]} bytes`);
  if (Number(found[1]) !== from) {
    throw new NetworkError(`${entry.file}: bytes from ${found[1]} on came, and not from ${from}`, {
      code: "range",
    });
  }
}

/** @param {Response} response @param {FileEntry} entry */
function checkLength(response, entry) {
  const length = response.headers.get("content-length");
  if (length === null || isEncoded(response)) return;
  if (Number(length) !== entry.byte_length) throw tooShort(entry, `${length} bytes`);
}

/** @param {FileEntry} entry @param {string} found */
function tooShort(entry, found) {
  return new PackageError(`${entry.file} has ${found}, and ${METADATA_NAME} says ${entry.byte_length}`, {
    rule: "LLQ-PKG-8",
  });
}

/** @param {Response} response @returns {ReadableStreamDefaultReader<Bytes>} */
function readerOf(response) {
  const { body } = response;
  if (body === null) throw new NetworkError(`${response.url}: an answer without a body`, { code: "cut" });
  return /** @type {ReadableStreamDefaultReader<Bytes>} */ (body.getReader());
}

/**
 * Fills a piece from `done` on with an answer, less its first `skip` bytes; returns how many bytes came, also where
 * the connection is cut.
 *
 * @param {Response} response
 * @param {Attempt} one
 * @param {Bytes} bytes
 * @param {number} done
 * @param {number} skip
 * @param {(bytes: number) => void} onNetwork
 * @param {FileEntry} entry
 */
async function fill(response, one, bytes, done, skip, onNetwork, entry) {
  const reader = readerOf(response);
  const begin = done;
  try {
    while (done < bytes.length) {
      one.alive();
      const { value, done: ended } = await reader.read();
      if (ended || value === undefined) break;
      onNetwork(value.length);
      const wanted = value.subarray(Math.min(skip, value.length));
      skip -= value.length - wanted.length;
      const rest = wanted.subarray(0, bytes.length - done);
      bytes.set(rest, done);
      done += rest.length;
    }
  } catch (cause) {
    if (done === begin) throw cause;
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (skip > 0 && done === begin) throw tooShort(entry, "less");
  return done - begin;
}

/** @param {Response} response @param {string} url @param {Attempt} one @returns {Promise<Bytes>} */
async function whole(response, url, one) {
  const reader = readerOf(response);
  /** @type {Bytes[]} */
  const parts = [];
  let length = 0;
  for (;;) {
    one.alive();
    const { value, done } = await reader.read();
    if (done || value === undefined) break;
    parts.push(value);
    length += value.length;
    if (length > MAX_METADATA_BYTES) {
      throw new PackageError(`${url} has more than ${MAX_METADATA_BYTES} bytes`, { rule: "LLQ-PKG-2" });
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
