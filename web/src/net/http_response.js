/** Responses of servers, held to what was asked for. */

import { NetworkError, PackageError } from "../errors.js";
import { MAX_METADATA_BYTES, METADATA_NAME } from "../package/metadata.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("./attempt.js").Attempt} Attempt */
/** @typedef {import("./source.js").Bytes} Bytes */

/**
 * Checks that a response is a file.
 *
 * @param {Response} response
 * @param {string} url
 * @throws {NetworkError} `status`, `not-found`, `html`
 */
export function checkStatus(response, url) {
  if (!response.ok) {
    const code = response.status === 404 ? "not-found" : "status";
    const seconds = Number(response.headers.get("retry-after"));
    const cause = seconds > 0 ? { retryAfter: 1000 * seconds } : undefined;
    throw new NetworkError(`${url}: the server answers ${response.status}`, {
      code,
      status: response.status,
      cause,
    });
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) throw webPage(url);
}

/** @param {string} url @returns {NetworkError} `html` */
export function webPage(url) {
  return new NetworkError(`${url} is a web page, not the file: check the address`, {
    code: "html",
  });
}

/** @param {Response} response whether its bytes were compressed on their way */
export function isEncoded(response) {
  const encoding = response.headers.get("content-encoding");
  return encoding !== null && encoding !== "" && encoding !== "identity";
}

/**
 * Returns whether a response may hide that its bytes were compressed: pages do not see Content-Encoding of other
 * origins, and Content-Length is then the length of the compressed bytes.
 *
 * @param {Response} response
 */
export function mayHideEncoding(response) {
  return response.type === "cors" && !response.headers.has("content-encoding");
}

/** @param {Response} response of a range @returns {RegExpExecArray | null} first and last byte, and total length */
function rangeOf(response) {
  return /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
}

/** @param {Response} response of a range @param {FileEntry} entry whether it is of compressed bytes */
export function isEncodedRange(response, entry) {
  const total = rangeOf(response)?.[3] ?? "*";
  return (
    isEncoded(response) || (mayHideEncoding(response) && total !== "*" && Number(total) !== entry.byte_length)
  );
}

/** @param {Response} response of a range @param {number} begin of that range @param {FileEntry} entry */
export function checkRange(response, begin, entry) {
  const range = rangeOf(response);
  if (range === null) return; // other origins may hide it; then the hash decides
  const [, actualBegin, , length] = range;
  if (length !== "*" && Number(length) !== entry.byte_length) throw wrongLength(entry, `${length} bytes`);
  if (Number(actualBegin) !== begin) {
    throw new NetworkError(
      `${entry.file}: the response begins at byte ${actualBegin}, expected byte ${begin}`,
      {
        code: "range",
      },
    );
  }
}

/**
 * Checks the length that a response states.
 *
 * @param {Response} response of a whole file
 * @param {FileEntry} entry
 * @returns {number | null} a stated length that is wrong unless the bytes were compressed; null if there is none
 */
export function checkLength(response, entry) {
  const header = response.headers.get("content-length");
  if (header === null || isEncoded(response)) return null;
  const length = Number(header);
  if (length === entry.byte_length) return null;
  if (mayHideEncoding(response)) return length;
  throw wrongLength(entry, `${length} bytes`);
}

/**
 * Checks the length of a whole body whose response stated a doubtful length: bytes that are as long as stated
 * were not compressed.
 *
 * @param {FileEntry} entry
 * @param {number} length of the body
 * @param {number | null} doubtful the stated length
 */
export function checkBody(entry, length, doubtful) {
  if (doubtful === null) return;
  if (length === doubtful || length > entry.byte_length) throw wrongLength(entry, `${length} bytes`);
}

/** @param {FileEntry} entry @param {string} length what the server has of it */
export function wrongLength(entry, length) {
  const message = `${entry.file} has ${length}, ${METADATA_NAME} states ${entry.byte_length} bytes`;
  return new PackageError(message, { rule: "LLQ-PKG-8" });
}

/** @param {Response} response @returns {ReadableStreamDefaultReader<Bytes>} */
export function readerOf(response) {
  const { body } = response;
  if (body === null) throw new NetworkError("the response has no body", { code: "cut" });
  return body.getReader();
}

/**
 * Fills bytes from `begin` on with the body of a response, without its first `skip` bytes; returns how many
 * came, even where the connection is cut.
 *
 * @param {Response} response
 * @param {Attempt} attempt
 * @param {{bytes: Bytes, begin: number, skip: number}} target
 * @param {(bytes: number) => void} onNetwork
 * @param {(length: number) => void} [checkEnd] checks the length of the body, which is then read to its end
 * @returns {Promise<{filled: number, skipped: boolean}>} skipped: whether there were `skip` bytes
 */
export async function fill(response, attempt, { bytes, begin, skip }, onNetwork, checkEnd) {
  const reader = new ScratchReader(response);
  let end = begin;
  let length = 0;
  try {
    while (end < bytes.length || checkEnd !== undefined) {
      attempt.alive();
      const { value, done } = await reader.read();
      if (done) {
        checkEnd?.(length);
        break;
      }
      onNetwork(value.length);
      length += value.length;
      const body = value.subarray(Math.min(skip, value.length));
      skip -= value.length - body.length;
      const missing = body.subarray(0, bytes.length - end);
      bytes.set(missing, end);
      end += missing.length;
      if (missing.length < body.length) {
        checkEnd?.(length);
        break;
      }
    }
  } catch (cause) {
    if (end === begin || cause instanceof PackageError) throw cause;
  } finally {
    await reader.cancel().catch(() => {});
  }
  return { filled: end - begin, skipped: skip === 0 };
}

/** Length of the buffer into which a body is read, in bytes. */
const SCRATCH_BYTES = 1 << 18;

/**
 * A reader of a body, which is valid until the next read: the platform fills the same buffer again, where it can.
 * Otherwise each chunk has one of its own, and hundreds of megabytes wait to be collected.
 */
class ScratchReader {
  /** @type {ReadableStreamBYOBReader | null} */
  #filling = null;
  /** @type {ReadableStreamDefaultReader<Bytes> | null} */
  #reader = null;
  #scratch = new ArrayBuffer(SCRATCH_BYTES);

  /** @param {Response} response */
  constructor(response) {
    try {
      this.#filling = response.body?.getReader({ mode: "byob" }) ?? null;
    } catch {
      // Safari has no such readers of bodies
    }
    if (this.#filling === null) this.#reader = readerOf(response);
  }

  /** @returns {Promise<ReadableStreamReadResult<Bytes>>} */
  async read() {
    if (this.#reader !== null) return this.#reader.read();
    const reader = /** @type {ReadableStreamBYOBReader} */ (this.#filling);
    const { value, done } = await reader.read(new Uint8Array(this.#scratch));
    if (done || value === undefined) return { value: undefined, done: true };
    this.#scratch = value.buffer;
    return { value, done: false };
  }

  /** Ends the body. */
  async cancel() {
    await (this.#filling ?? this.#reader)?.cancel();
  }
}

/**
 * Returns the whole body of a response that holds metadata.json.
 *
 * @param {Response} response
 * @param {string} url
 * @param {Attempt} attempt
 * @returns {Promise<Bytes>}
 */
export async function metadataBody(response, url, attempt) {
  const reader = readerOf(response);
  /** @type {Bytes[]} */
  const chunks = [];
  let length = 0;
  for (;;) {
    attempt.alive();
    const { value, done } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    if (length > MAX_METADATA_BYTES) {
      throw new PackageError(`${url} has more than ${MAX_METADATA_BYTES} bytes, the maximum`, {
        rule: "LLQ-PKG-2",
      });
    }
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
