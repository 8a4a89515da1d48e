/**
 * The WGSL module: kernels as framed sections of one text (spec: WGSL module).
 */

import { PackageError } from "../errors.js";

/** @typedef {{name: string, text: string, portable: boolean, entryPoints: string[]}} Section */

export const MAX_MODULE_BYTES = 1 << 20;

const BEGIN = /^(\/\/|\/\*): begin ([a-z][a-z0-9_]{0,63})$/;
const STAGE = /@\s*(compute|vertex|fragment)\b/g;
const SIZE = "\\s*(0|[1-9][0-9]{0,2})\\s*";
const ENTRY_POINT = new RegExp(
  `@compute\\s+@workgroup_size\\(${SIZE}(?:,${SIZE}(?:,${SIZE})?)?\\)\\s*fn\\s+([A-Za-z][A-Za-z0-9_]*)\\s*\\(`,
  "y",
);

/**
 * Returns the sections of a module, in order; those outside comments are `portable`.
 *
 * @param {Uint8Array} data
 * @returns {Map<string, Section>}
 * @throws {PackageError} LLQ-WGSL-1 to LLQ-WGSL-4
 */
export function readModule(data) {
  checkModuleSize(data.length);
  const foreign = data.findIndex((byte) => byte !== 0x0a && (byte < 0x20 || byte > 0x7e));
  if (foreign !== -1) {
    throw refusal(
      "LLQ-WGSL-1",
      `byte ${foreign} of the module is ${data[foreign]}, expected printable ASCII`,
    );
  }
  const lines = new TextDecoder().decode(data).split("\n");
  if (lines.pop() !== "") throw refusal("LLQ-WGSL-2", "the module does not end with a line feed");
  /** @type {Map<string, Section>} */
  const sections = new Map();
  for (let at = 0; at < lines.length; ) {
    const begin = BEGIN.exec(lines[at]);
    if (begin === null) throw refusal("LLQ-WGSL-2", `line ${at + 1} of the module does not begin a section`);
    const [, mark, name] = begin;
    const end = lines.indexOf(mark === "//" ? `//: end ${name}` : `end ${name} :*/`, at + 1);
    if (end === -1) throw refusal("LLQ-WGSL-2", `section ${name} of the module has no end`);
    const text = lines.slice(at + 1, end);
    if (text.some((line) => line.startsWith("//:") || line.startsWith("/*:"))) {
      throw refusal("LLQ-WGSL-2", `another section begins within section ${name} of the module`);
    }
    if (sections.has(name)) throw refusal("LLQ-WGSL-2", `two sections of the module are called ${name}`);
    const joined = text.map((line) => `${line}\n`).join("");
    sections.set(name, { name, text: joined, portable: mark === "//", entryPoints: [] });
    at = end + 1;
  }
  if (sections.size === 0) throw refusal("LLQ-WGSL-2", "the module has no sections");
  for (const { name, text } of sections.values()) {
    if (/\/\*|\*\//.test(text)) {
      throw refusal(
        "LLQ-WGSL-3",
        `section ${name} contains /* or */, which only the comments around sections may`,
      );
    }
  }
  for (const section of sections.values()) section.entryPoints = entryPoints(section);
  return sections;
}

/** @param {number} size of the module, in bytes @throws {PackageError} LLQ-WGSL-1 */
export function checkModuleSize(size) {
  if (size >= 1 && size <= MAX_MODULE_BYTES) return;
  throw refusal("LLQ-WGSL-1", `the module is ${size} bytes long (allowed: 1 to ${MAX_MODULE_BYTES})`);
}

/** @param {Section} section @returns {string[]} the names of its entry points */
function entryPoints({ name, text }) {
  const code = text.replace(/\/\/[^\n]*/g, "");
  return Array.from(code.matchAll(STAGE), (stage) => {
    ENTRY_POINT.lastIndex = stage.index;
    const match = ENTRY_POINT.exec(code);
    if (match === null) {
      throw refusal(
        "LLQ-WGSL-4",
        `section ${name} has an entry point that is not in the form that chapter WGSL module specifies`,
      );
    }
    const [x, y, z] = match.slice(1, 4).map((size) => Number(size ?? "1"));
    if (x * y * z < 1 || x * y * z > 256 || z > 64) {
      throw refusal(
        "LLQ-WGSL-4",
        `section ${name} has a workgroup of ${x} x ${y} x ${z}, expected 1 to 256 invocations and z up to 64`,
      );
    }
    return match[4];
  });
}

/** @param {string} rule @param {string} message */
function refusal(rule, message) {
  return new PackageError(message, { rule });
}
