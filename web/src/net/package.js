/** A package: its metadata, checked, and its files, each checked as it is read. */

import { PackageError } from "../errors.js";
import { readMetadata } from "../package/metadata.js";
import { sha256 } from "../package/sha256.js";
import { PackageFiles } from "./package_files.js";
import { ShardReader } from "./shard_reader.js";
import { piecesOf } from "./source.js";
import { WorkerPool } from "./worker_pool.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("./shard_reader.js").ShardPiece} ShardPiece */
/** @typedef {import("./shard_reader.js").ShardOptions} ShardOptions */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Source} Source */
/**
 * @typedef {object} OpenOptions
 * @property {AbortSignal} [signal]
 * @property {import("./package_files.js").CachedPackage | null} [cached] where pieces are stored
 * @property {WorkerPool} [pool] workers that check shards; by default they are checked here
 */

export class Package {
  #files;
  #pool;

  /** @param {PackageFiles} files @param {Metadata} metadata @param {WorkerPool} pool */
  constructor(files, metadata, pool) {
    this.#files = files;
    this.metadata = metadata;
    this.#pool = pool;
  }

  /**
   * Opens the package of a source.
   *
   * @param {Source} source
   * @param {OpenOptions} [options]
   */
  static async open(source, { signal, cached = null, pool = new WorkerPool(0) } = {}) {
    const files = new PackageFiles(source, cached);
    const metadata = await readMetadata(await files.metadata(signal));
    files.use(metadata);
    return new Package(files, metadata, pool);
  }

  /**
   * Returns the bytes of a file, whose hash is right (LLQ-HASH-2).
   *
   * @param {FileEntry} entry
   * @param {AbortSignal} [signal]
   * @returns {Promise<Bytes>}
   */
  async readFile(entry, signal) {
    const pieces = piecesOf({ offset: 0, length: entry.byte_length });
    for (let retries = 0; ; retries++) {
      const data = await this.#files.read(entry, pieces, { signal });
      const digest = await sha256(data);
      if (digest === entry.sha256) return data;
      await this.#files.forget(entry, pieces);
      if (retries === this.#files.retries) {
        throw new PackageError(`the SHA-256 of ${entry.file} is ${digest}, expected ${entry.sha256}`, {
          rule: "LLQ-HASH-2",
          code: "hash",
        });
      }
    }
  }

  /**
   * Yields shards in pieces, in order. Each piece was checked as far as its parts are complete; when all have
   * come, all parts were. Pieces of a part that arrives damaged are yielded again.
   *
   * @param {number[]} indices of the shards
   * @param {ShardOptions} [options]
   * @returns {AsyncGenerator<ShardPiece, void, void>}
   */
  shardPieces(indices, options) {
    return new ShardReader(this.#files, this.metadata, this.#pool, options).pieces(indices);
  }

  /** Waits until what came is stored, as far as there is room. */
  stored() {
    return this.#files.stored();
  }

  /** Ends the storing of a package all of whose files came: it replaces its former state. */
  complete() {
    return this.#files.complete();
  }
}
