/**
 * Shards on their way: spans of them are read, several at a time, checked by workers, and yielded in order. A span
 * that is too long to be gathered in memory comes in several steps, which are checked one after the other.
 */

import { settle } from "../package/findings.js";
import { shardElements, spansOf } from "../package/shard_elements.js";
import { ReadAhead } from "./read_ahead.js";
import { piecesOf } from "./source.js";
import { SpanCheck } from "./span_check.js";

/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../package/shard_check.js").ElementReport} ElementReport */
/** @typedef {import("../package/shard_elements.js").Span} Span */
/** @typedef {import("./package_files.js").PackageFiles} PackageFiles */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {import("./worker_pool.js").WorkerPool} WorkerPool */
/** @typedef {{shard: number, offset: number, bytes: Bytes}} ShardPiece */
/**
 * @callback OnBytes
 * @param {string} file
 * @param {number} bytes that arrived; the last ones of a span were checked
 * @param {boolean} cached whether they were stored
 */
/** @typedef {{signal?: AbortSignal, onBytes?: OnBytes}} ShardOptions */
/**
 * @typedef {object} Step a span, or a piece of a long one
 * @property {Piece[]} pieces
 * @property {number} offset
 * @property {number} length
 * @property {number} counted bytes that were reported as arrived
 */
/** @typedef {{shard: number, span: Span, steps: Step[]}} SpanSteps */
/** @typedef {{spanSteps: SpanSteps, step: Step, bytes: Bytes, reports: ElementReport[]}} CheckedStep */

/** Bytes that may be on their way; more only where one span has more. */
const AHEAD_BYTES = 128 << 20;

/** The reading of shards. */
export class ShardReader {
  #files;
  #metadata;
  #pool;
  #stop = new AbortController();
  #signal;
  #onBytes;
  /** @type {ReadAhead<CheckedStep>} */
  #ahead = new ReadAhead(AHEAD_BYTES);
  /** @type {SpanCheck[]} */
  #checks = [];

  /**
   * @param {PackageFiles} files
   * @param {Metadata} metadata
   * @param {WorkerPool} pool
   * @param {ShardOptions} [options]
   */
  constructor(files, metadata, pool, { signal, onBytes = () => {} } = {}) {
    this.#files = files;
    this.#metadata = metadata;
    this.#pool = pool;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    this.#onBytes = onBytes;
  }

  /**
   * Yields pieces of shards, in order.
   *
   * @param {number[]} indices of the shards
   * @returns {AsyncGenerator<ShardPiece, void, void>}
   */
  async *pieces(indices) {
    try {
      for (const spanSteps of indices.flatMap((shard) => this.#spans(shard))) {
        const check = this.#checkOf(spanSteps);
        for (const step of spanSteps.steps) {
          while (!this.#ahead.hasRoom(step.length)) yield* this.#next();
          this.#ahead.add(step.length, this.#arrive(spanSteps, step, check));
        }
      }
      while (!this.#ahead.isEmpty) yield* this.#next();
    } finally {
      this.#stop.abort();
      for (const check of this.#checks) check.end();
    }
  }

  /** @param {number} shard @returns {SpanSteps[]} */
  #spans(shard) {
    return spansOf(shardElements(this.#metadata, shard)).map((span) => {
      const pieces = piecesOf(span);
      const steps = (span.gathered ? [pieces] : pieces.map((piece) => [piece])).map((ofStep) => ({
        pieces: ofStep,
        offset: ofStep[0].offset,
        length: ofStep.reduce((sum, { length }) => sum + length, 0),
        counted: 0,
      }));
      return { shard, span, steps };
    });
  }

  /** @param {SpanSteps} spanSteps */
  #checkOf({ span }) {
    const check = new SpanCheck(this.#pool, span);
    this.#checks.push(check);
    return check;
  }

  /** Yields the piece that is next; where it is damaged, its whole span again. */
  async *#next() {
    const { spanSteps, step, bytes, reports } = await this.#ahead.next();
    this.#signal.throwIfAborted();
    if (isDamaged(reports)) yield* this.#again(spanSteps);
    else yield { shard: spanSteps.shard, offset: step.offset, bytes };
    this.#ahead.release(step.length);
  }

  /** Yields a span that is fetched again. @param {SpanSteps} spanSteps */
  async *#again(spanSteps) {
    const { shard, span, steps } = spanSteps;
    await this.#files.forget(this.#metadata.shards[shard], piecesOf(span));
    const check = this.#checkOf(spanSteps);
    for (const step of steps) {
      const { bytes, reports } = await this.#arrive(spanSteps, step, check);
      for (const { findings, code } of reports) settle(findings, code);
      yield { shard, offset: step.offset, bytes };
    }
  }

  /**
   * Reads and checks a step.
   *
   * @param {SpanSteps} spanSteps
   * @param {Step} step
   * @param {SpanCheck} check of its span
   * @returns {Promise<CheckedStep>}
   */
  async #arrive(spanSteps, step, check) {
    const entry = this.#metadata.shards[spanSteps.shard];
    let arrived = 0;
    let lastCached = false;
    const count = (/** @type {number} */ bytes) => {
      if (bytes <= step.counted || this.#signal.aborted) return;
      const fresh = bytes - step.counted;
      step.counted = bytes;
      this.#onBytes(entry.file, fresh, lastCached);
    };
    const onPiece = (/** @type {number} */ length, /** @type {boolean} */ cached) => {
      arrived += length;
      lastCached = cached;
      if (arrived < step.length) count(arrived);
    };
    const reading = this.#files.read(entry, step.pieces, { signal: this.#signal, onPiece });
    const { bytes, reports } = await check.take(reading);
    if (!reports.some(({ damaged }) => damaged)) count(step.length);
    return { spanSteps, step, bytes, reports };
  }
}

/**
 * Returns whether bytes have to be fetched again; throws where they are what was written, and break a rule.
 *
 * @param {ElementReport[]} reports in order
 */
function isDamaged(reports) {
  for (const { findings, damaged, code } of reports) {
    if (damaged) return true;
    settle(findings, code);
  }
  return false;
}
