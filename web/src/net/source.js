/** Where the files of a package come from. */

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{offset: number, length: number}} Piece bytes of a file */
/**
 * @typedef {object} RemoteSource it can be copied to a worker
 * @property {import("./endpoint.js").Address} address
 * @property {import("./attempt.js").RetryOptions} options
 * @property {boolean} [isOneOfSeveral] whether another mirror may have what this one does not send
 */
/**
 * @typedef {object} Source
 * @property {(signal?: AbortSignal, retries?: Partial<import("./attempt.js").RetryOptions>) => Promise<Bytes>}
 *   metadata reads metadata.json
 * @property {(entry: FileEntry, piece: Piece, signal?: AbortSignal) => Promise<Bytes>} piece reads a piece of a
 *   file; the bytes are the caller's from then on. Pieces of a file are asked for in their order, several at a
 *   time.
 * @property {RemoteSource | null} [remote] how a worker can read pieces by itself, null where it cannot
 * @property {number} [mirrors] number of servers that may have a piece; 1 by default
 * @property {(entry: FileEntry, pieces: Piece[]) => void} [damaged] takes note of pieces that came damaged
 * @property {(bytes: number) => void} [onNetwork] takes numbers of bytes that workers fetch, as they come
 */

/** Maximum length of the pieces in which files come, in bytes. */
export const PIECE_BYTES = 8 << 20;

/** @param {Piece} piece @returns {Piece[]} it in pieces of limited length */
export function piecesOf({ offset, length }) {
  return Array.from({ length: Math.ceil(length / PIECE_BYTES) }, (_, index) => ({
    offset: offset + index * PIECE_BYTES,
    length: Math.min(PIECE_BYTES, length - index * PIECE_BYTES),
  }));
}
