/** A package over HTTP: files in pieces, several at a time, resumed where a connection was cut. */

import { NetworkError } from "../errors.js";
import { METADATA_NAME } from "../package/metadata.js";
import { retried } from "./attempt.js";
import { Endpoint } from "./endpoint.js";
import { FileStream } from "./file_stream.js";
import {
  checkBody,
  checkLength,
  checkRange,
  checkStatus,
  fill,
  isEncodedRange,
  metadataBody,
  webPage,
  wrongLength,
} from "./http_response.js";
import { Slots } from "./slots.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./attempt.js").Attempt} Attempt */
/** @typedef {import("./attempt.js").RetryOptions} RetryOptions */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/**
 * @typedef {object} RequestOptions
 * @property {(bytes: number) => void} onNetwork called with numbers of bytes as they come from the network
 * @property {number} parallel requests at a time
 */
/** @typedef {Partial<RequestOptions & RetryOptions>} FetchOptions */
/** @typedef {import("./source.js").RemoteSource} RemoteSource */
/**
 * @typedef {object} ServedFile what is known of a file on its server
 * @property {FileEntry} entry
 * @property {boolean | null} ranges whether the server supports ranges, null while it is unknown
 * @property {Promise<unknown> | null} first the request that shows it, null before it is made
 * @property {FileStream | null} stream a response with the whole file, for servers that do not
 * @property {Promise<unknown>} turn ends when the stream is free
 */
/**
 * @typedef {{piece: Piece, bytes: Bytes, end: number, options: RetryOptions}} PieceState end: the number of
 *   bytes of the piece that have come
 */

const LESS_THAN = 0x3c;

/** @type {Required<FetchOptions>} */
const DEFAULTS = {
  onNetwork: () => {},
  parallel: 4,
  attempts: 5,
  delay: 250,
  stall: 30_000,
  maxWait: 60_000,
};

/** The names of all options. */
export const FETCH_OPTIONS = Object.keys(DEFAULTS);

/** The files of a package in a directory of a server. */
export class HttpSource {
  #endpoint;
  #options;
  #requests;
  /** @type {Map<string, ServedFile>} */
  #files = new Map();
  /** Whether the server has sent a range of some file. */
  #sendsRanges = false;

  /** @param {Endpoint} endpoint @param {FetchOptions} [options] */
  constructor(endpoint, options = {}) {
    this.#endpoint = endpoint;
    this.#options = { ...DEFAULTS, ...options };
    this.#requests = new Slots(this.#options.parallel);
  }

  /**
   * Returns the source of an address whose server sends ranges, as another thread has found.
   *
   * @param {RemoteSource} remote
   * @param {(bytes: number) => void} onNetwork
   */
  static ofRemote({ address, options }, onNetwork) {
    const source = new HttpSource(new Endpoint(address), { ...options, onNetwork });
    source.#sendsRanges = true;
    return source;
  }

  /** Takes numbers of bytes that other threads fetch, as they come. */
  get onNetwork() {
    return this.#options.onNetwork;
  }

  /** How another thread can fetch pieces by itself; null until this server has sent a range. */
  get remote() {
    const { attempts, delay, stall, maxWait } = this.#options;
    const { address } = this.#endpoint;
    return this.#sendsRanges && address !== null
      ? { address, options: { attempts, delay, stall, maxWait } }
      : null;
  }

  /**
   * Returns metadata.json.
   *
   * @param {AbortSignal} [signal]
   * @param {Partial<RetryOptions>} [retries]
   * @returns {Promise<Bytes>}
   */
  async metadata(signal, retries) {
    /** @type {Bytes} */
    let bytes = new Uint8Array(0);
    await retried(
      this.#endpoint,
      METADATA_NAME,
      { ...this.#options, ...retries },
      signal,
      async (attempt) => {
        bytes = await this.#fetchMetadata(attempt);
        return "done";
      },
    );
    return bytes;
  }

  /** @param {Attempt} attempt */
  async #fetchMetadata(attempt) {
    const url = this.#endpoint.url + METADATA_NAME;
    const response = await this.#endpoint.request(METADATA_NAME, {
      signal: attempt.signal,
      cache: "no-cache",
    });
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
   * Returns a piece of a file, by one request or several.
   *
   * @param {FileEntry} entry
   * @param {Piece} piece
   * @param {AbortSignal} [signal]
   * @param {Bytes} [target] where the bytes go
   * @param {Partial<RetryOptions>} [retries]
   * @returns {Promise<Bytes>}
   */
  piece(entry, piece, signal, target = new Uint8Array(piece.length), retries = undefined) {
    return this.#requests.use(async () => {
      signal?.throwIfAborted();
      const file = this.#file(entry);
      const state = { piece, bytes: target, end: 0, options: { ...this.#options, ...retries } };
      if (file.first === null) {
        const fetching = this.#byRanges(file, state, signal);
        file.first = fetching.catch(() => {}); // it is thrown here
        await fetching;
      } else {
        await file.first; // those who wait go on in their order
        await (file.ranges === false ? this.#fromStream : this.#byRanges).call(this, file, state, signal);
      }
      return state.bytes;
    });
  }

  /** @param {FileEntry} entry @returns {ServedFile} */
  #file(entry) {
    let file = this.#files.get(entry.file);
    if (file === undefined) {
      const first = this.#sendsRanges ? Promise.resolve() : null;
      file = { entry, ranges: null, first, stream: null, turn: Promise.resolve() };
      this.#files.set(entry.file, file);
    }
    return file;
  }

  /** @param {ServedFile} file @param {PieceState} state @param {AbortSignal} [signal] */
  #byRanges(file, state, signal) {
    return retried(this.#endpoint, file.entry.file, state.options, signal, (attempt) =>
      this.#continue(file, state, attempt),
    );
  }

  /**
   * Makes one request for what is missing of a piece.
   *
   * @param {ServedFile} file
   * @param {PieceState} state
   * @param {Attempt} attempt
   * @returns {Promise<import("./attempt.js").Outcome>}
   */
  async #continue(file, state, attempt) {
    const { bytes, end: begin } = state;
    const { response, skip, checkEnd } = await this.#respond(file, state, attempt);
    const { filled, skipped } = await fill(
      response,
      attempt,
      { bytes, begin, skip },
      this.#options.onNetwork,
      checkEnd,
    );
    if (!skipped && filled === 0) throw wrongLength(file.entry, "less");
    state.end += filled;
    if (state.end === bytes.length) return "done";
    return filled > 0 ? "partial" : "nothing";
  }

  /**
   * Returns a response that holds what is missing of a piece after some bytes to skip.
   *
   * @param {ServedFile} file
   * @param {PieceState} state
   * @param {Attempt} attempt
   * @returns {Promise<{response: Response, skip: number, checkEnd?: (length: number) => void}>} checkEnd: where
   *   the length of the body shows whether the file has its length
   */
  async #respond(file, { piece, end }, { signal }) {
    const { entry } = file;
    const url = this.#endpoint.url + entry.file;
    const begin = piece.offset + end;
    const whole = begin === 0 && piece.length === entry.byte_length;
    const isLast = piece.offset + piece.length === entry.byte_length;
    const headers = whole ? undefined : { range: `bytes=${begin}-${piece.offset + piece.length - 1}` };
    const response = await this.#endpoint.request(entry.file, { headers, signal, cache: "no-store" });
    if (response.status === 416) throw wrongLength(entry, "less");
    checkStatus(response, url);
    if (response.status !== 206) {
      if (!whole) file.ranges = false;
      const checkEnd = endCheck(response, entry);
      return { response, skip: begin, checkEnd: isLast ? checkEnd : undefined };
    }
    if (!isEncodedRange(response, entry)) {
      checkRange(response, begin, entry);
      file.ranges ??= true;
      this.#sendsRanges = true;
      return { response, skip: 0 };
    }
    // a range of compressed bytes is of no use; without a range the platform decompresses
    file.ranges = false;
    response.body?.cancel().catch(() => {});
    const plain = await this.#endpoint.request(entry.file, { signal, cache: "no-store" });
    checkStatus(plain, url);
    const checkEnd = endCheck(plain, entry);
    return { response: plain, skip: begin, checkEnd: isLast ? checkEnd : undefined };
  }

  /**
   * Takes a piece out of one response with the whole file, for servers that do not support ranges. After a cut
   * there is another response, and what had come is skipped.
   *
   * @param {ServedFile} file
   * @param {PieceState} state
   * @param {AbortSignal} [signal]
   */
  #fromStream(file, state, signal) {
    const turn = file.turn.then(() => {
      if (file.stream !== null && file.stream.offset > state.piece.offset) endStream(file);
      return retried(
        this.#endpoint,
        file.entry.file,
        state.options,
        signal,
        (attempt) => this.#continueStream(file, state, attempt),
        () => file.stream?.attempt ?? null,
      );
    });
    file.turn = turn.catch(() => {});
    return turn;
  }

  /**
   * @param {ServedFile} file
   * @param {PieceState} state
   * @param {Attempt} attempt
   * @returns {Promise<import("./attempt.js").Outcome>}
   */
  async #continueStream(file, state, attempt) {
    const stream = file.stream ?? (await this.#openStream(file, attempt));
    file.stream = null; // unless the piece is filled
    const outcome = await fillFrom(stream, file.entry, state);
    if (outcome !== "done") return outcome;
    if (stream.offset < file.entry.byte_length) file.stream = stream;
    else await stream.end();
    return outcome;
  }

  /** @param {ServedFile} file @param {Attempt} attempt */
  async #openStream({ entry }, attempt) {
    const response = await this.#endpoint.request(entry.file, { signal: attempt.signal, cache: "no-store" });
    checkStatus(response, this.#endpoint.url + entry.file);
    return new FileStream(response, attempt, this.#options.onNetwork, endCheck(response, entry));
  }
}

/**
 * Checks the length that a response states; returns a check of the length of its body where that is doubtful.
 *
 * @param {Response} response of a whole file
 * @param {FileEntry} entry
 */
function endCheck(response, entry) {
  const doubtful = checkLength(response, entry);
  if (doubtful === null) return undefined;
  return (/** @type {number} */ length) => checkBody(entry, length, doubtful);
}

/** Frees the connection of a stream. @param {ServedFile} file */
function endStream(file) {
  file.stream?.attempt.end();
  file.stream = null;
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
