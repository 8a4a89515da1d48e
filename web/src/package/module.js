/**
 * The WGSL module: kernels as framed sections of one text (spec: WGSL module).
 */

import { PackageError } from "../errors.js";

/** @typedef {import("../gpu/program.js").Variant} Variant */
/** @typedef {{name: string, text: string, portable: boolean, entryPoints: string[]}} Section */

export const MAX_MODULE_BYTES = 1 << 20;

const BEGIN = /^(\/\/|\/\*): begin ([a-z][a-z0-9_]{0,63})$/;
const STAGE = /@\s*(compute|vertex|fragment)\b/g;
const SIZE = "\\s*([0-9]{1,3})\\s*";
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
  if (data.length < 1 || data.length > MAX_MODULE_BYTES) {
    throw refusal("LLQ-WGSL-1", `the module has ${data.length} bytes, and may have 1 to ${MAX_MODULE_BYTES}`);
  }
  const foreign = data.findIndex((byte) => byte !== 0x0a && (byte < 0x20 || byte > 0x7e));
  if (foreign !== -1) throw refusal("LLQ-WGSL-1", `the module has byte ${data[foreign]} at ${foreign}`);
  const lines = new TextDecoder().decode(data).split("\n");
  if (lines.pop() !== "") throw refusal("LLQ-WGSL-2", "the last line of the module has no line feed");
  /** @type {Map<string, Section>} */
  const found = new Map();
  for (let at = 0; at < lines.length; ) {
    const begin = BEGIN.exec(lines[at]);
    if (begin === null) throw refusal("LLQ-WGSL-2", `line ${at + 1} of the module begins no section`);
    const [, mark, name] = begin;
    const end = lines.indexOf(mark === "//" ? `//: end ${name}` : `end ${name} :*/`, at + 1);
    if (end === -1) throw refusal("LLQ-WGSL-2", `section ${name} of the module has no end`);
    const text = lines.slice(at + 1, end);
    if (text.some((line) => line.startsWith("//:") || line.startsWith("/*:"))) {
      throw refusal("LLQ-WGSL-2", `within section ${name} of the module another begins`);
    }
    if (found.has(name)) throw refusal("LLQ-WGSL-2", `two sections of the module are called ${name}`);
    const joined = text.map((line) => `${line}\n`).join("");
    found.set(name, { name, text: joined, portable: mark === "//", entryPoints: [] });
    at = end + 1;
  }
  if (found.size === 0) throw refusal("LLQ-WGSL-2", "the module has no sections");
  for (const { name, text } of found.values()) {
    if (/\/\*|\*\//.test(text)) throw refusal("LLQ-WGSL-3", `section ${name} holds a mark of block comments`);
  }
  for (const section of found.values()) section.entryPoints = entryPoints(section);
  return found;
}

/**
 * Returns the WGSL of a variant; `absent` are features' directives that the compiler does not know.
 *
 * @param {ReadonlyMap<string, Section>} sections
 * @param {Variant} variant
 * @returns {string}
 */
export function source(sections, variant) {
  const texts = variant.sections.map((name) => {
    const section = sections.get(name);
    if (section === undefined) throw refusal("LLQ-PROG-7", `the module has no section ${name}`);
    return section.text;
  });
  return [...variant.directives, ...texts].join("\n");
}

/** @param {Section} section @returns {string[]} */
function entryPoints({ name, text }) {
  const code = text.replace(/\/\/[^\n]*/g, "");
  return Array.from(code.matchAll(STAGE), (stage) => {
    ENTRY_POINT.lastIndex = stage.index;
    const match = ENTRY_POINT.exec(code);
    if (match === null) throw refusal("LLQ-WGSL-4", `section ${name} has an entry point of another form`);
    const [x, y, z] = match.slice(1, 4).map((size) => Number(size ?? "1"));
    if (x * y * z < 1 || x * y * z > 256 || z > 64) {
      throw refusal("LLQ-WGSL-4", `section ${name}: a workgroup of ${x} x ${y} x ${z}`);
    }
    return match[4];
  });
}

/** @param {string} rule @param {string} message */
function refusal(rule, message) {
  return new PackageError(message, { rule });
}
