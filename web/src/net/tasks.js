/**
 * Tasks of loading. Each can be done in a worker or, where there are no workers, on the spot. A task takes one
 * object and returns one. Member `bytes` of both is handed over with its buffer, not copied.
 */

import { NetworkError, PackageError } from "../errors.js";
import { ShardCheck } from "../package/shard_check.js";
import { measured } from "../package/stages.js";
import { HttpSource } from "./http_source.js";
import { canReadFiles, NewFile, readFiles, writeFile } from "./private_files.js";
import { isSilence, withinTime } from "./within_time.js";

/** @typedef {import("../package/metadata_types.js").FileEntry} FileEntry */
/** @typedef {import("../package/shard_check.js").ElementReport} ElementReport */
/** @typedef {import("../package/shard_elements.js").Element} Element */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./source.js").Piece} Piece */
/** @typedef {import("./source.js").RemoteSource} RemoteSource */
/**
 * @typedef {object} TaskContext
 * @property {AbortSignal} [signal]
 * @property {(bytes: number) => void} [onNetwork] called with numbers of bytes as they come from the network
 */
/**
 * @typedef {object} StepOfCheck some bytes of a check; its steps are checked in order, all of them in one place
 * @property {string} id of the check
 * @property {number} step its number, from 0
 * @property {boolean} last whether these are its last bytes
 * @property {Element[]} elements
 */
/** @typedef {{check: StepOfCheck, bytes: Bytes}} CheckInput */
/** @typedef {{reports: ElementReport[], bytes: Bytes}} CheckOutput */
/**
 * @typedef {object} Place where a step is stored
 * @property {string} directory
 * @property {string[]} names of the pieces
 * @property {boolean} writable whether pieces that are missing are to be stored
 * @property {number} limit ms for one answer of the store
 */
/**
 * @typedef {object} BringInput
 * @property {StepOfCheck} check
 * @property {FileEntry} entry
 * @property {Piece[]} pieces that follow each other
 * @property {Place | null} place null where nothing is stored
 * @property {RemoteSource | null} source null where pieces cannot be fetched here
 * @property {Bytes} bytes where the pieces go
 */
/**
 * @typedef {object} BringOutput
 * @property {Bytes} bytes those of the input
 * @property {boolean} isComplete false where pieces are missing that cannot be fetched here
 * @property {ElementReport[]} reports
 * @property {boolean[]} present which pieces were stored
 * @property {unknown} failure why pieces were not stored, such as QuotaExceededError, or null
 */

/** A check whose steps can come in any order, and wait for each other. */
class OrderedCheck {
  #check;
  #next = 0;
  /** @type {Map<number, () => void>} */
  #waiting = new Map();

  /** @param {Element[]} elements */
  constructor(elements) {
    this.#check = new ShardCheck(elements);
  }

  /** @param {number} step @param {Bytes} bytes @returns {Promise<ElementReport[]>} */
  async take(step, bytes) {
    if (step !== this.#next) await new Promise((resolve) => this.#waiting.set(step, () => resolve(null)));
    const reports = await measured("check", () => this.#check.take(bytes));
    this.#next++;
    this.#waiting.get(this.#next)?.();
    return reports;
  }
}

/** @type {Map<string, OrderedCheck>} checks that go on */
const checks = new Map();

/** @param {StepOfCheck} step @param {Bytes} bytes @returns {Promise<ElementReport[]>} */
async function checked({ id, step, last, elements }, bytes) {
  let check = checks.get(id);
  if (check === undefined) {
    check = new OrderedCheck(elements);
    if (!(last && step === 0)) checks.set(id, check);
  }
  const reports = await check.take(step, bytes);
  if (last) checks.delete(id);
  return reports;
}

/** @param {CheckInput} input @returns {Promise<CheckOutput>} */
async function check({ check: step, bytes }) {
  return { reports: await checked(step, bytes), bytes };
}

/** Forgets a check that does not go on. @param {{id: string}} input */
async function endCheck({ id }) {
  checks.delete(id);
}

/**
 * Brings the pieces of a step out of the store, else from the network; checks them, and stores what is new.
 *
 * @param {BringInput} input
 * @param {TaskContext} [context]
 * @returns {Promise<BringOutput>}
 */
async function bring(input, { signal, onNetwork = () => {} } = {}) {
  const { check: step, entry, pieces, place, source, bytes } = input;
  const { present, silence } = await read(place, pieces, bytes);
  const missing = pieces.filter((_, index) => !present[index]);
  if (missing.length > 0 && source === null) {
    return { bytes, reports: [], present, isComplete: false, failure: silence };
  }
  const storing = new Storing(silence === null ? place : null, pieces, present);
  try {
    const fetching = missing.map((piece) => {
      const server = HttpSource.ofRemote(/** @type {RemoteSource} */ (source), onNetwork);
      const begin = piece.offset - pieces[0].offset;
      const target = bytes.subarray(begin, begin + piece.length);
      return measured("fetch", () => server.piece(entry, piece, signal, target));
    });
    try {
      await Promise.all(fetching);
    } catch (error) {
      if (!source?.isOneOfSeveral || !isOfServer(error)) throw error;
      await Promise.allSettled(fetching); // which write to the bytes
      return { bytes, reports: [], present, isComplete: false, failure: silence };
    }
    const reports = await checked(step, bytes);
    const failure = reports.some(({ damaged }) => damaged) ? null : await storing.write(bytes);
    return { bytes, reports, present, isComplete: true, failure: failure ?? silence };
  } finally {
    storing.end();
  }
}

/** @param {unknown} error whether another server may send what this one did not */
function isOfServer(error) {
  return error instanceof NetworkError || error instanceof PackageError;
}

/**
 * Reads pieces that are stored.
 *
 * @param {Place | null} place null where nothing is stored
 * @param {Piece[]} pieces
 * @param {Bytes} target
 * @returns {Promise<{present: boolean[], silence: unknown}>} silence: why nothing more is asked, or null
 */
async function read(place, pieces, target) {
  const absent = pieces.map(() => false);
  if (place === null) return { present: absent, silence: null };
  const { directory, names, limit } = place;
  const files = names.map((name, index) => ({ name, length: pieces[index].length }));
  const stop = new AbortController();
  try {
    const reading = () => withinTime(limit, readFiles({ directory, files, target }, stop));
    const { present } = await measured("cache read", reading);
    return { present, silence: null };
  } catch (error) {
    stop.abort(); // a late answer must not overwrite what comes from the network
    return { present: absent, silence: isSilence(error) ? error : null };
  }
}

/** The storing of the pieces that are missing. */
class Storing {
  #begin;
  #limit;
  /** @type {{piece: Piece, file: NewFile}[]} */
  #files;

  /** @param {Place | null} place null where nothing is stored @param {Piece[]} pieces @param {boolean[]} present */
  constructor(place, pieces, present) {
    this.#begin = pieces[0].offset;
    this.#limit = place?.limit ?? 0;
    this.#files = pieces.flatMap((piece, index) =>
      place?.writable && !present[index]
        ? [{ piece, file: new NewFile(place.directory, place.names[index]) }]
        : [],
    );
  }

  /** @param {Bytes} bytes of all pieces @returns {Promise<unknown>} why they were not stored, or null */
  async write(bytes) {
    for (let next = this.#files[0]; next !== undefined; next = this.#files[0]) {
      const { piece, file } = next;
      const begin = piece.offset - this.#begin;
      const ofPiece = bytes.subarray(begin, begin + piece.length);
      this.#files.shift();
      try {
        const failure = await measured("cache write", () => withinTime(this.#limit, file.write(ofPiece)));
        if (failure !== null) return failure;
      } catch (silence) {
        return silence;
      }
    }
    return null;
  }

  /** Leaves nothing of what was not stored. */
  end() {
    for (const { file } of this.#files) file.discard().catch(() => {});
  }
}

export const TASKS = { bring, check, endCheck, canReadFiles, readFiles, writeFile };

/** @typedef {typeof TASKS} Tasks */
/** @typedef {keyof Tasks} TaskName */
