/**
 * Tasks of loading. Each can be done in a worker or, where there are no workers, on the spot. A task takes one
 * object and returns one. Member `bytes` of both is handed over, not copied.
 */

import { ShardCheck } from "../package/shard_check.js";
import { measured } from "../package/stages.js";
import { canReadFiles, readFiles, writeFile } from "./private_files.js";

/** @typedef {import("../package/shard_check.js").ElementReport} ElementReport */
/** @typedef {import("../package/shard_elements.js").Element} Element */
/** @typedef {import("./source.js").Bytes} Bytes */
/**
 * @typedef {object} CheckInput
 * @property {string} id of the check: one that goes on is done where it began
 * @property {Element[] | null} elements those to check, null for a check that goes on
 * @property {boolean} last whether these are its last bytes
 * @property {Bytes} bytes
 */
/** @typedef {{reports: ElementReport[], bytes: Bytes}} CheckOutput */

/** @type {Map<string, ShardCheck>} checks that go on */
const checks = new Map();

/** @param {CheckInput} input @returns {Promise<CheckOutput>} */
async function check({ id, elements, last, bytes }) {
  const started = elements === null ? checks.get(id) : new ShardCheck(elements);
  if (started === undefined) throw new Error(`no check ${id} was begun here`);
  if (last) checks.delete(id);
  else checks.set(id, started);
  return { reports: await measured("check", () => started.take(bytes)), bytes };
}

/** Forgets a check that does not go on. @param {{id: string}} input */
async function endCheck({ id }) {
  checks.delete(id);
}

export const TASKS = { check, endCheck, canReadFiles, readFiles, writeFile };

/** @typedef {typeof TASKS} Tasks */
/** @typedef {keyof Tasks} TaskName */
