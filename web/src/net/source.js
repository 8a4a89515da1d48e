/** Where the files of a package come from. */

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{offset: number, length: number}} Piece bytes of a file */
/**
 * @typedef {object} Source
 * @property {(signal?: AbortSignal) => Promise<Bytes>} metadata reads metadata.json
 * @property {(entry: FileEntry, pieces: Piece[], signal?: AbortSignal) => AsyncIterable<Bytes>} pieces yields
 *   pieces of
 *   a file, each whole, in their order
 * @property {(entry: FileEntry, pieces: Piece[]) => Promise<void>} [forget] drops stored pieces of a damaged
 *   file
 */

/** Length of the pieces in which files come, in bytes. */
export const PIECE_BYTES = 8 << 20;

/** @param {number} length @returns {Piece[]} the pieces of a file of this length */
export function piecesOf(length) {
  return Array.from({ length: Math.ceil(length / PIECE_BYTES) }, (_, index) => ({
    offset: index * PIECE_BYTES,
    length: Math.min(PIECE_BYTES, length - index * PIECE_BYTES),
  }));
}
