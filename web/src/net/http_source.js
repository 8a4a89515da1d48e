/** A package over HTTP: files in pieces, several at a time, resumed where a connection was cut. */

import { NetworkError } from "../errors.js";
import { METADATA_NAME } from "../package/metadata.js";
import { retried } from "./attempt.js";
import { FileStream } from "./file_stream.js";
import {
  checkLength,
  checkRange,
  checkStatus,
  fill,
  isEncoded,
  metadataBody,
  request,
  webPage,
  wrongLength,
} from "./http_response.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./attempt.js").Attempt} Attempt */
/** @typedef {import("./cache.js").PackageCache} PackageCache */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/**
 * @typedef {object} FetchOptions
 * @property {PackageCache | null} [cache] where pieces are stored
 * @property {(bytes: number) => void} [onNetwork] called with numbers of bytes as they come from the network
 * @property {number} [parallel] requests at a time; that many pieces are in memory
 * @property {number} [attempts] how often a request is made that brings nothing
 * @property {number} [delay] ms before the second attempt; it doubles
 * @property {number} [stall] ms without a byte after which a connection counts as cut
 */
/**
 * @typedef {{ranges: boolean | null}} ServerState whether the server supports ranges, null while it is
 *   unknown
 */
/**
 * @typedef {{piece: Piece, bytes: Bytes, end: number}} PieceState end: the number of bytes of the piece that
 *   have come
 */

const LESS_THAN = 0x3c;

/** @type {Required<FetchOptions>} */
const DEFAULTS = { cache: null, onNetwork: () => {}, parallel: 4, attempts: 5, delay: 250, stall: 30_000 };

/** The files of a package under an address that ends with a slash. */
export class HttpSource {
  #options;

  /** @param {string} url @param {FetchOptions} [options] */
  constructor(url, options = {}) {
    this.url = url;
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * Returns metadata.json, from the cache where there is no network.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<Bytes>}
   */
  async metadata(signal) {
    const url = this.url + METADATA_NAME;
    /** @type {Bytes} */
    let bytes = new Uint8Array(0);
    try {
      await retried(url, this.#options, signal, async (attempt) => {
        bytes = await this.#fetchMetadata(url, attempt);
        return "done";
      });
      return bytes;
    } catch (error) {
      const offline = error instanceof NetworkError && error.status === null;
      const stored = offline ? await this.#options.cache?.metadata(this.url) : null;
      if (!stored) throw error;
      return stored;
    }
  }

  /** @param {string} url @param {Attempt} attempt */
  async #fetchMetadata(url, attempt) {
    const response = await request(url, { signal: attempt.signal, cache: "no-cache" });
    checkStatus(response, url);
    const { origin } = new URL(response.url || url);
    if (origin !== new URL(url).origin) {
      // the other files are held to its hashes, but nothing holds this one
      throw new NetworkError(`${url} was redirected to ${origin}: use that address`, { code: "redirect" });
    }
    const bytes = await metadataBody(response, url, attempt);
    if (bytes[0] === LESS_THAN) throw webPage(url);
    return bytes;
  }

  /**
   * Yields pieces of a file.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *pieces(entry, pieces, signal) {
    const stop = new AbortController();
    const joined = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    /** @type {ServerState} */
    const server = { ranges: null };
    /** @type {Promise<Bytes>[]} */
    const flight = [];
    let requested = 0;
    try {
      for (let yielded = 0; yielded < pieces.length; yielded++) {
        // the first alone: it shows whether the server supports ranges
        const ahead = server.ranges === null && yielded === 0 ? 1 : this.#options.parallel;
        for (; requested < pieces.length && flight.length < ahead && server.ranges !== false; requested++) {
          const bytes = this.#piece(entry, pieces[requested], joined, server);
          bytes.catch(() => {}); // its error is thrown where it is awaited
          flight.push(bytes);
        }
        const next = flight.shift();
        if (next === undefined) {
          yield* this.#stream(entry, pieces.slice(yielded), joined);
          return;
        }
        yield await next;
      }
    } finally {
      stop.abort();
    }
  }

  /** Drops pieces from the cache. @param {FileEntry} entry @param {Piece[]} pieces */
  async forget(entry, pieces) {
    await this.#options.cache?.drop(this.url, entry, pieces);
  }

  /**
   * Returns one piece, from the cache or by requests for what is missing of it.
   *
   * @param {FileEntry} entry
   * @param {Piece} piece
   * @param {AbortSignal} signal
   * @param {ServerState} server
   * @returns {Promise<Bytes>}
   */
  async #piece(entry, piece, signal, server) {
    const { cache } = this.#options;
    const stored = await cache?.piece(this.url, entry, piece);
    if (stored) return stored;
    const state = { piece, bytes: new Uint8Array(piece.length), end: 0 };
    await retried(this.url + entry.file, this.#options, signal, (attempt) =>
      this.#continue(entry, state, attempt, server),
    );
    await cache?.putPiece(this.url, entry, piece, state.bytes);
    return state.bytes;
  }

  /**
   * Makes one request for what is missing of a piece.
   *
   * @param {FileEntry} entry
   * @param {PieceState} state
   * @param {Attempt} attempt
   * @param {ServerState} server
   * @returns {Promise<import("./attempt.js").Outcome>}
   */
  async #continue(entry, state, attempt, server) {
    const { bytes, end: begin } = state;
    const { response, skip } = await this.#respond(entry, state, attempt, server);
    const { filled, skipped } = await fill(
      response,
      attempt,
      { bytes, begin, skip },
      this.#options.onNetwork,
    );
    if (!skipped && filled === 0) throw wrongLength(entry, "less");
    state.end += filled;
    if (state.end === bytes.length) return "done";
    return filled > 0 ? "partial" : "nothing";
  }

  /**
   * Returns a response that holds what is missing of a piece after some bytes to skip.
   *
   * @param {FileEntry} entry
   * @param {PieceState} state
   * @param {Attempt} attempt
   * @param {ServerState} server
   * @returns {Promise<{response: Response, skip: number}>}
   */
  async #respond(entry, { piece, end }, { signal }, server) {
    const url = this.url + entry.file;
    const begin = piece.offset + end;
    const whole = begin === 0 && piece.length === entry.byte_length;
    const headers = whole ? undefined : { range: `bytes=${begin}-${piece.offset + piece.length - 1}` };
    const response = await request(url, { headers, signal, cache: "no-store" });
    if (response.status === 416) throw wrongLength(entry, "less");
    checkStatus(response, url);
    if (response.status !== 206) {
      if (!whole) server.ranges = false;
      checkLength(response, entry);
      return { response, skip: begin };
    }
    if (!isEncoded(response)) {
      checkRange(response, begin, entry);
      server.ranges ??= true;
      return { response, skip: 0 };
    }
    // a range of compressed bytes is of no use; without a range the platform decompresses
    server.ranges = false;
    response.body?.cancel().catch(() => {});
    const plain = await request(url, { signal, cache: "no-store" });
    checkStatus(plain, url);
    return { response: plain, skip: begin };
  }

  /**
   * Yields pieces out of one response with the whole file, for servers that do not support ranges. After a
   * cut there is
   * another response, and what had come is skipped.
   *
   * @param {FileEntry} entry
   * @param {Piece[]} pieces
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *#stream(entry, pieces, signal) {
    const { cache, onNetwork } = this.#options;
    const url = this.url + entry.file;
    /** @type {{stream: FileStream | null}} */
    const open = { stream: null };
    for (const piece of pieces) {
      const stored = await cache?.piece(this.url, entry, piece);
      if (stored) {
        yield stored;
        continue;
      }
      const state = { piece, bytes: new Uint8Array(piece.length), end: 0 };
      const action = async (/** @type {Attempt} */ attempt) => {
        if (open.stream === null) {
          const response = await request(url, { signal: attempt.signal, cache: "no-store" });
          checkStatus(response, url);
          checkLength(response, entry);
          open.stream = new FileStream(response, attempt, onNetwork);
        }
        const { stream } = open;
        open.stream = null; // unless the piece is filled
        const outcome = await fillFrom(stream, entry, state);
        if (outcome === "done") open.stream = stream;
        return outcome;
      };
      await retried(url, this.#options, signal, action, () => open.stream?.attempt ?? null);
      await cache?.putPiece(this.url, entry, piece, state.bytes);
      yield state.bytes;
    }
    open.stream?.attempt.end();
  }
}

/**
 * Fills what is missing of a piece.
 *
 * @param {FileStream} stream
 * @param {FileEntry} entry
 * @param {PieceState} state
 * @returns {Promise<import("./attempt.js").Outcome>}
 */
async function fillFrom(stream, entry, state) {
  const { piece, bytes, end: begin } = state;
  while (state.end < piece.length) {
    const taken = await stream.take(piece.offset + state.end, piece.length - state.end);
    if (taken === null) {
      if (stream.offset >= entry.byte_length) throw wrongLength(entry, `${stream.offset} bytes`);
      return state.end > begin ? "partial" : "nothing";
    }
    bytes.set(taken, state.end);
    state.end += taken.length;
  }
  return "done";
}
