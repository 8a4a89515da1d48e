/**
 * metadata.json: the index of a package (spec: Metadata).
 *
 * All that it states is checked when it is read: the stages `json` to `parts` of chapter Validation.
 */

import { PackageError } from "../errors.js";
import { checkModel } from "./checks/model.js";
import { checkParts } from "./checks/parts.js";
import { checkTensors } from "./checks/tensors.js";
import { EXTENSIONS } from "./extensions.js";
import { settle } from "./findings.js";
import { readJson } from "./read_json.js";
import { checkSchema } from "./schema.js";
import { sha256 } from "./sha256.js";
import { METADATA_SCHEMA } from "./specification.js";

/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./metadata_types.js").Metadata} Metadata */

export const METADATA_NAME = "metadata.json";
export const MAX_METADATA_BYTES = 1 << 24;

/** What a reader of LLQ 1.0 refuses before it looks at the schema. */
const VERSION = "1.0";

const JSON_RULES = {
  encoding: "LLQ-JSON-1",
  depth: "LLQ-JSON-4",
  syntax: "LLQ-JSON-2",
  duplicate: "LLQ-JSON-3",
  number: "LLQ-JSON-5",
  surrogate: "LLQ-JSON-6",
};

/** Where the digits of `digest` are: the member sorts before all others. */
const DIGEST = { begin: 11, end: 75 };

/**
 * Returns the metadata that bytes hold.
 *
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<Metadata>}
 * @throws {PackageError} for the first error of the stages `read` to `parts`
 */
export async function readMetadata(data) {
  checkMetadataSize(data.length);
  const { value, isCanonical, writtenAsInteger } = await readJson(data, METADATA_NAME, JSON_RULES);
  checkVersion(value);
  settle(checkSchema(METADATA_SCHEMA, value, writtenAsInteger));
  if (!isCanonical) throw refusal("LLQ-CANON-1", `${METADATA_NAME} is not in canonical form`);
  const metadata = /** @type {Metadata} */ (/** @type {unknown} */ (value)); // by its schema
  const zeroed = data.slice().fill(0x30, DIGEST.begin, DIGEST.end);
  if ((await sha256(zeroed)) !== metadata.digest) {
    throw refusal(
      "LLQ-CANON-2",
      `${METADATA_NAME} does not match its digest: the file was changed or damaged`,
    );
  }
  settle(checkModel(metadata, writtenAsInteger));
  settle(checkTensors(metadata));
  settle(checkParts(metadata));
  return metadata;
}

/** @param {number} size of metadata.json, in bytes @throws {PackageError} LLQ-PKG-2 */
export function checkMetadataSize(size) {
  if (size >= 2 && size <= MAX_METADATA_BYTES) return;
  throw refusal("LLQ-PKG-2", `${METADATA_NAME} is ${size} bytes long (allowed: 2 to ${MAX_METADATA_BYTES})`);
}

/**
 * @param {Json} value checked before the schema, so that a file of a later version is refused for its version
 */
function checkVersion(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const { version, extensions_required: extensions } = value;
  if (typeof version === "string" && version !== VERSION) {
    throw refusal(
      "LLQ-VER-1",
      `${METADATA_NAME} has version ${JSON.stringify(version)}, expected ${VERSION}`,
    );
  }
  const unknown =
    Array.isArray(extensions) && extensions.find((name) => typeof name === "string" && !EXTENSIONS.has(name));
  if (typeof unknown === "string") {
    throw refusal(
      "LLQ-EXT-1",
      `the package requires extension ${JSON.stringify(unknown)}, which this reader does not support`,
    );
  }
}

/** @param {string} rule @param {string} message */
function refusal(rule, message) {
  return new PackageError(message, { rule });
}
