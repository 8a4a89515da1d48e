/**
 * Shards on their way: spans of them are read and checked, several at a time, and yielded as they come. A span that
 * is too long to be gathered in memory comes in several steps, which are checked one after the other.
 */

import { PackageError } from "../errors.js";
import { settle } from "../package/findings.js";
import { shardElements, spansOf } from "../package/shard_elements.js";
import { BufferPool, drop } from "./buffer_pool.js";
import { piecesOf } from "./source.js";
import { SpanCheck } from "./span_check.js";
import { SpanLane } from "./span_lane.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/metadata_types.js").Metadata} Metadata */
/** @typedef {import("../package/shard_check.js").ElementReport} ElementReport */
/** @typedef {import("../package/shard_elements.js").Span} Span */
/** @typedef {import("./package_files.js").PackageFiles} PackageFiles */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {import("./worker_pool.js").WorkerPool} WorkerPool */
/** @typedef {{shard: number, offset: number, bytes: Bytes}} ShardPiece bytes, which are valid until the next piece */
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
 * @property {number} index in its span
 * @property {boolean} counted whether its bytes were reported as arrived
 */
/** @typedef {{shard: number, span: Span, steps: Step[]}} SpanSteps */
/** @typedef {{spanSteps: SpanSteps, step: Step, bytes: Bytes, reports: ElementReport[]}} CheckedStep */
/** @typedef {{bytes: Bytes, reports: ElementReport[], cached: boolean}} Arrived cached: whether it was stored */

/** Bytes that may be under way; more only where one step has more. */
const AHEAD_BYTES = 96 << 20;
/** Bytes of one span that may be under way: others are not to wait for the steps of a long one. */
const SPAN_AHEAD_BYTES = 32 << 20;

/** The reading of shards. */
export class ShardReader {
  #files;
  #metadata;
  #pool;
  #stop = new AbortController();
  #signal;
  #onBytes;
  #buffers = new BufferPool(AHEAD_BYTES);
  /** @type {SpanLane<CheckedStep>[]} in order */
  #lanes = [];
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
   * Yields pieces of shards. Where several break a rule, the error is that of the first.
   *
   * @param {number[]} indices of the shards
   * @returns {AsyncGenerator<ShardPiece, void, void>}
   */
  async *pieces(indices) {
    let waiting = indices
      .flatMap((shard) => this.#spans(shard))
      .map((span, order) => this.#lane(span, order));
    /** @type {unknown} */
    let broken;
    try {
      for (;;) {
        waiting = this.#fill(waiting);
        if (this.#lanes.length === 0) break;
        const { lane, value, error } = await Promise.race(
          this.#lanes.flatMap(({ head }) => (head === null ? [] : [head])),
        );
        this.#signal.throwIfAborted();
        try {
          if (value === undefined) throw error;
          yield* this.#taken(value);
        } catch (failure) {
          if (!(failure instanceof PackageError)) throw failure;
          broken = failure; // an earlier span may be broken, too
          waiting = [];
          this.#lanes = this.#lanes.filter(({ order }) => order < lane.order);
          continue;
        }
        this.#buffers.give(value.bytes);
        lane.take();
        if (lane.isDone) this.#lanes.splice(this.#lanes.indexOf(lane), 1);
      }
      if (broken !== undefined) throw broken;
    } finally {
      this.#stop.abort();
      this.#buffers.clear();
      for (const check of this.#checks) check.end();
    }
  }

  /** @param {number} shard @returns {SpanSteps[]} */
  #spans(shard) {
    return spansOf(shardElements(this.#metadata, shard)).map((span) => {
      const { offset, length } = span;
      const pieces = span.gathered ? [{ offset, length }] : piecesOf(span);
      const steps = pieces.map((piece, index) => ({ pieces: [piece], ...piece, index, counted: false }));
      return { shard, span, steps };
    });
  }

  /** @param {SpanSteps} spanSteps @param {number} order @returns {SpanLane<CheckedStep>} */
  #lane(spanSteps, order) {
    const check = this.#checkOf(spanSteps);
    const steps = spanSteps.steps.map((step) => ({
      bytes: step.length,
      start: (/** @type {Bytes} */ target) => this.#arrive(spanSteps, step, check, target),
    }));
    return new SpanLane(order, steps, SPAN_AHEAD_BYTES);
  }

  /**
   * Starts what there is room for; returns the lanes that still wait.
   *
   * @param {SpanLane<CheckedStep>[]} waiting
   */
  #fill(waiting) {
    const take = (/** @type {number} */ bytes) => this.#buffers.take(bytes);
    for (const lane of this.#lanes) lane.fill(take);
    for (const [index, lane] of waiting.entries()) {
      lane.fill(take);
      if (lane.head === null) return waiting.slice(index);
      this.#lanes.push(lane);
    }
    return [];
  }

  /** @param {SpanSteps} spanSteps */
  #checkOf({ span, steps }) {
    const check = new SpanCheck(this.#pool, span, steps.length);
    this.#checks.push(check);
    return check;
  }

  /** Yields a step that came; where it is damaged, its whole span again. @param {CheckedStep} step */
  async *#taken({ spanSteps, step, bytes, reports }) {
    if (isDamaged(reports)) yield* this.#again(spanSteps);
    else yield { shard: spanSteps.shard, offset: step.offset, bytes };
  }

  /** Yields a span that is fetched again, as often as there are mirrors. @param {SpanSteps} spanSteps */
  async *#again(spanSteps) {
    for (let rest = this.#files.retries; rest > 0; rest--) {
      const isComplete = yield* this.#onceMore(spanSteps, rest === 1);
      if (isComplete) return;
    }
  }

  /**
   * Yields a span that is fetched again; returns whether all of it came as it was written.
   *
   * @param {SpanSteps} spanSteps
   * @param {boolean} isLast whether bytes that come damaged are an error
   * @returns {AsyncGenerator<ShardPiece, boolean, void>}
   */
  async *#onceMore(spanSteps, isLast) {
    const { shard, steps } = spanSteps;
    const entry = this.#metadata.shards[shard];
    await this.#files.forget(
      entry,
      steps.flatMap(({ pieces }) => pieces),
    );
    const check = this.#checkOf(spanSteps);
    for (const step of steps) {
      const target = new Uint8Array(step.length);
      const { bytes, reports } = await this.#read(entry, step, check, target);
      if (!isLast && reports.some(({ damaged }) => damaged)) return false;
      for (const { findings, code } of reports) settle(findings, code);
      this.#count(entry.file, step, false);
      yield { shard, offset: step.offset, bytes };
      drop(bytes.buffer);
    }
    return true;
  }

  /**
   * Reads and checks a step.
   *
   * @param {SpanSteps} spanSteps
   * @param {Step} step
   * @param {SpanCheck} check of its span
   * @param {Bytes} target
   * @returns {Promise<CheckedStep>}
   */
  async #arrive(spanSteps, step, check, target) {
    const entry = this.#metadata.shards[spanSteps.shard];
    const brought = await this.#brought(entry, step, check, target);
    const { bytes, reports, cached } = brought.isComplete
      ? brought
      : await this.#read(entry, step, check, brought.bytes);
    if (!reports.some(({ damaged }) => damaged)) this.#count(entry.file, step, cached);
    return { spanSteps, step, bytes, reports };
  }

  /**
   * Lets a worker bring a step by itself.
   *
   * @param {FileEntry} entry
   * @param {Step} step
   * @param {SpanCheck} check
   * @param {Bytes} target
   * @returns {Promise<Arrived & {isComplete: boolean}>} isComplete: whether it could
   */
  async #brought(entry, { pieces, index }, check, target) {
    const none = { bytes: target, reports: [], cached: false, isComplete: false };
    if (!this.#files.canBring || !(await check.isRemote())) return none;
    const context = { signal: this.#signal, onNetwork: this.#files.onNetwork };
    const place = await this.#files.place(entry, pieces);
    /** @param {import("./source.js").RemoteSource | null} source @param {Bytes} room */
    const bring = async (source, room) => {
      const { bytes, reports, present, isComplete, failure } = await check.bring(
        index,
        { entry, pieces, place, source, bytes: room },
        context,
      );
      if (failure !== null && isComplete) await this.#files.notStored(entry, pieces, bytes, failure);
      return { bytes, reports, cached: present.every(Boolean), isComplete };
    };
    const { remote } = this.#files;
    const first = place === null && remote === null ? none : await bring(remote, target);
    if (first.isComplete || remote !== null) return first;
    const discovered = await this.#files.discoveredRemote();
    return discovered === null ? first : bring(discovered, first.bytes);
  }

  /**
   * Reads a step in this thread, and lets it be checked.
   *
   * @param {FileEntry} entry
   * @param {Step} step
   * @param {SpanCheck} check
   * @param {Bytes} target
   * @returns {Promise<Arrived>}
   */
  async #read(entry, step, check, target) {
    let cached = false;
    const onPiece = (/** @type {number} */ _length, /** @type {boolean} */ stored) => {
      cached = stored;
    };
    await this.#files.read(entry, step.pieces, { signal: this.#signal, onPiece, target });
    const { bytes, reports } = await check.take(step.index, target);
    return { bytes, reports, cached };
  }

  /** Reports the bytes of a step, once. @param {string} file @param {Step} step @param {boolean} cached */
  #count(file, step, cached) {
    if (step.counted || this.#signal.aborted) return;
    step.counted = true;
    this.#onBytes(file, step.length, cached);
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
