/** program.json against its schema, module and metadata (rules LLQ-PROG-3 to LLQ-PROG-21). */

import { PackageError } from "../../errors.js";

/** @typedef {import("../metadata.js").Metadata} Metadata */
/** @typedef {import("../metadata.js").ModelEntry} ModelEntry */
/** @typedef {import("../module.js").Section} Section */
/** @typedef {[rule: number, holds: boolean, found: string]} Check */

const MAX_BINDING = 134217728;
const MAX_SHARD = 268435456;
const STATE_BYTES = 256;
const PASSES = ["prefill", "last", "logits", "greedy", "sample", "decode"];
const ONE_POSITION = ["last", "greedy", "sample"];
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.+]{0,159}$/;
const ENTRY_POINT = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/**
 * Checks a program; throws the first fault, as chapter Validation orders faults.
 *
 * @param {any} value of program.json, in canonical form
 * @param {Metadata} metadata
 * @param {ModelEntry} model
 * @param {ReadonlyMap<string, Section>} sections of the module
 * @throws {PackageError}
 */
export function checkProgram(value, metadata, model, sections) {
  settle(shape(value));
  settle([
    ...variants(value, sections),
    ...weights(value, metadata),
    ...buffers(value, model),
    ...dispatches(value),
  ]);
}

/** @param {Iterable<Check>} checks */
function settle(checks) {
  const faults = Array.from(checks)
    .filter(([, holds]) => !holds)
    .sort((a, b) => a[0] - b[0]);
  if (faults.length > 0) {
    throw new PackageError(`program.json: ${faults[0][2]}`, { rule: `LLQ-PROG-${faults[0][0]}` });
  }
}

/**
 * Checks what the schema states: PROG-3, and PROG-4 for limits of WebGPU.
 *
 * @param {any} value
 * @returns {Generator<Check, void, void>}
 */
function* shape(value) {
  /** @type {(object: any, names: string[], place: string) => boolean} */
  const exactly = (object, names) =>
    isObject(object) &&
    Object.keys(object).length === names.length &&
    names.every((name) => Object.hasOwn(object, name));
  const root = [
    "version",
    "chunk",
    "context_length",
    "kv_cache",
    "variants",
    "weights",
    "buffers",
    "pipelines",
    "parameters",
    "passes",
  ];
  const whole = exactly(value, root, "");
  yield [3, whole, "its members are not those of a program"];
  if (!whole) return;
  yield [3, value.version === "1.0", `version ${value.version}`];
  yield [
    3,
    isSize(value.chunk, 1, 65535) && isSize(value.context_length, 1, 2 ** 31 - 1),
    "chunk or context_length",
  ];
  yield [3, ["f16", "f32"].includes(value.kv_cache), `kv_cache ${value.kv_cache}`];
  yield [
    3,
    Array.isArray(value.variants) && value.variants.length >= 1 && value.variants.length <= 64,
    "variants",
  ];
  for (const variant of Array.isArray(value.variants) ? value.variants : []) {
    const right = exactly(variant, ["name", "features", "language", "directives", "sections"], "");
    yield [3, right, "a variant's members"];
    if (!right) continue;
    yield [3, isText(variant.name, /^[a-z0-9][a-z0-9-]{0,63}$/), "a variant's name"];
    yield [3, isTexts(variant.features, /^[a-z0-9][a-z0-9-]*$/), "a variant's features"];
    yield [3, isTexts(variant.language, /^[a-z0-9][a-z0-9_]*$/), "a variant's language"];
    yield [
      3,
      isTexts(variant.directives, /^(enable|requires) [a-z0-9_]+(, [a-z0-9_]+)*;$/),
      "a variant's directives",
    ];
    yield [
      3,
      isTexts(variant.sections, /^[a-z][a-z0-9_]{0,63}$/) &&
        variant.sections.length >= 1 &&
        variant.sections.length <= 1024,
      "a variant's sections",
    ];
  }
  for (const member of ["weights", "buffers", "pipelines", "passes"]) {
    yield [3, isObject(value[member]), `${member} is no object`];
    if (!isObject(value[member])) return;
  }
  for (const [name, range] of Object.entries(value.weights)) {
    yield [3, NAME.test(name) && exactly(range, ["shard", "offset", "size"], name), `range ${name}`];
    if (!isObject(range)) continue;
    yield [3, isSize(range.shard, 0, 99998) && areWhole(range.offset, range.size), `range ${name}`];
    const within =
      range.offset >= 0 && range.offset <= 4294967040 && range.size >= 4 && range.size <= MAX_BINDING;
    yield [4, within && range.offset % 256 === 0 && range.size % 4 === 0, `offset or size of range ${name}`];
  }
  for (const [name, buffer] of Object.entries(value.buffers)) {
    yield [
      3,
      NAME.test(name) && exactly(buffer, ["purpose", "bytes", "bytes_per_position", "init"], name),
      `buffer ${name}`,
    ];
    if (!isObject(buffer)) continue;
    yield [
      3,
      ["state", "activation", "kv_cache", "table"].includes(buffer.purpose) &&
        ["zero", "rope"].includes(buffer.init),
      `buffer ${name}`,
    ];
    const sizes = [buffer.bytes, buffer.bytes_per_position];
    yield [3, areWhole(...sizes), `the size of buffer ${name}`];
    yield [4, sizes.every((size) => size >= 0 && size <= MAX_BINDING), `the size of buffer ${name}`];
  }
  for (const [name, access] of Object.entries(value.pipelines)) {
    const list = Array.isArray(access) && access.every((one) => one === "read" || one === "read_write");
    yield [3, ENTRY_POINT.test(name) && list, `pipeline ${name}`];
    yield [
      4,
      !Array.isArray(access) || access.length <= 8,
      `pipeline ${name} has ${access?.length} bindings`,
    ];
  }
  const slots = value.parameters;
  const words = (/** @type {any} */ word) =>
    isSize(word, 0, 2 ** 32 - 1) ||
    (exactly(word, ["f32"], "") &&
      typeof word.f32 === "number" &&
      Math.abs(word.f32) <= 3.4028234663852886e38);
  yield [3, Array.isArray(slots) && slots.length <= 65536, "parameters"];
  for (const slot of Array.isArray(slots) ? slots : []) {
    yield [3, Array.isArray(slot) && slot.length <= 64 && slot.every(words), "a slot of parameters"];
  }
  yield [3, exactly(value.passes, PASSES, ""), "passes"];
  for (const [name, run] of Object.entries(value.passes)) {
    yield [3, Array.isArray(run) && run.length >= 1 && run.length <= 262144, `pass ${name}`];
    for (const one of Array.isArray(run) ? run : []) {
      const right = exactly(one, ["label", "entry_point", "bindings", "parameters", "workgroups"], name);
      yield [3, right, `a dispatch of pass ${name}`];
      if (!right) continue;
      const place = `a dispatch of pass ${name}, ${one.label}`;
      yield [3, isText(one.label, /^[ -~]{1,160}$/) && isText(one.entry_point, ENTRY_POINT), place];
      yield [
        3,
        Array.isArray(one.bindings) && one.bindings.every((/** @type {any} */ b) => isText(b, NAME)),
        place,
      ];
      yield [4, !Array.isArray(one.bindings) || one.bindings.length <= 8, place];
      yield [3, isSize(one.parameters, 0, 65535), place];
      yield [3, Array.isArray(one.workgroups) && one.workgroups.length === 3, place];
      for (const size of Array.isArray(one.workgroups) ? one.workgroups : []) {
        const count = isObject(size) ? size.tokens_per_workgroup : size;
        const byTokens = isObject(size);
        // the keywords of PROG-4 stand beside the dimension itself, not within its object
        yield [3, byTokens ? isSize(count, 1, 65535) : areWhole(count), place];
        yield [
          4,
          byTokens ? Object.keys(size).length === 1 : !areWhole(count) || isSize(count, 1, 65535),
          place,
        ];
      }
    }
  }
}

/** @param {any} value @param {ReadonlyMap<string, Section>} sections @returns {Generator<Check, void, void>} */
function* variants(value, sections) {
  const [first] = value.variants;
  for (const member of ["features", "language", "directives"]) {
    yield [5, first[member].length === 0, `the first variant has ${member}`];
  }
  const names = value.variants.map((/** @type {any} */ one) => one.name);
  yield [6, new Set(names).size === names.length, "two variants have the same name"];
  for (const variant of value.variants) {
    for (const name of variant.sections) yield [7, sections.has(name), `the module has no section ${name}`];
    for (const entryPoint of Object.keys(value.pipelines)) {
      const found = variant.sections.flatMap(
        (/** @type {string} */ name) => sections.get(name)?.entryPoints ?? [],
      );
      const times = found.filter((/** @type {string} */ name) => name === entryPoint).length;
      yield [9, times === 1, `entry point ${entryPoint} stands ${times} times in variant ${variant.name}`];
    }
  }
  const portable = [...sections.values()].filter((one) => one.portable).map(({ name }) => name);
  yield [
    8,
    portable.join() === first.sections.join(),
    "the sections of the first variant are not those outside comments",
  ];
}

/** @param {any} value @param {Metadata} metadata @returns {Generator<Check, void, void>} */
function* weights(value, metadata) {
  for (const [name, { shard, offset, size }] of Object.entries(value.weights)) {
    yield [10, !Object.hasOwn(value.buffers, name), `${name} is a range and a buffer`];
    const length = metadata.shards[shard]?.byte_length ?? 0;
    const within = offset >= 256 && offset + size <= length && length <= MAX_SHARD;
    yield [11, within, `range ${name} does not lie in a shard that a buffer can hold`];
  }
}

/** @param {any} value @param {ModelEntry} model @returns {Generator<Check, void, void>} */
function* buffers(value, model) {
  for (const [name, buffer] of Object.entries(value.buffers)) {
    const sizes = [1, value.context_length].map(
      (context) => buffer.bytes + buffer.bytes_per_position * context,
    );
    yield [
      12,
      sizes[0] >= 1 && sizes[1] <= MAX_BINDING,
      `buffer ${name} would have ${sizes[0]} to ${sizes[1]} bytes`,
    ];
  }
  const known = new Map([
    ["state", STATE_BYTES],
    ["sampling", STATE_BYTES],
    ["tokens", 4 * value.chunk],
    ["logits", 4 * model.vocab_size],
    ["all_logits", 4 * value.chunk * model.vocab_size],
  ]);
  for (const [name, bytes] of known) {
    const buffer = Object.hasOwn(value.buffers, name) ? value.buffers[name] : null;
    const right = buffer?.bytes === bytes && buffer.bytes_per_position === 0 && buffer.init === "zero";
    yield [13, right, `buffer ${name} is not one of ${bytes} bytes`];
  }
  for (const [name, buffer] of Object.entries(value.buffers)) {
    if (buffer.init !== "rope" || known.has(name)) continue;
    const right = buffer.bytes === 0 && buffer.bytes_per_position === 4 * model.head_dim;
    yield [13, right, `table ${name} does not have ${4 * model.head_dim} bytes a position`];
  }
  yield [14, value.context_length <= model.context_length, `a context_length beyond the model's`];
}

/** @param {any} value @returns {Generator<Check, void, void>} */
function* dispatches(value) {
  for (const [pass, run] of Object.entries(value.passes)) {
    for (const { label, entry_point: entryPoint, bindings, parameters, workgroups } of run) {
      const place = `pass ${pass}, ${label}:`;
      for (const name of bindings) {
        const there = Object.hasOwn(value.weights, name) || Object.hasOwn(value.buffers, name);
        yield [17, there, `${place} there is no ${name}`];
      }
      yield [20, parameters < value.parameters.length, `${place} there is no slot ${parameters}`];
      if (ONE_POSITION.includes(pass))
        yield [21, workgroups.every(Number.isInteger), `${place} a grid by tokens`];
      const access = Object.hasOwn(value.pipelines, entryPoint) ? value.pipelines[entryPoint] : null;
      yield [15, access !== null, `${place} there is no pipeline ${entryPoint}`];
      if (access === null) continue;
      yield [
        16,
        access.length === bindings.length,
        `${place} ${bindings.length} bindings, and not ${access.length}`,
      ];
      if (access.length !== bindings.length) continue;
      for (const [i, name] of bindings.entries()) {
        if (access[i] === "read") continue;
        yield [18, !Object.hasOwn(value.weights, name), `${place} weights ${name} are bound for writing`];
        const times = bindings.filter((/** @type {string} */ one) => one === name).length;
        yield [19, times === 1, `${place} ${name} is written and bound ${times} times`];
      }
    }
  }
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown[]} values */
function areWhole(...values) {
  return values.every(Number.isSafeInteger);
}

/** @param {unknown} value @param {number} least @param {number} most */
function isSize(value, least, most) {
  return (
    Number.isSafeInteger(value) &&
    /** @type {number} */ (value) >= least &&
    /** @type {number} */ (value) <= most
  );
}

/** @param {unknown} value @param {RegExp} pattern */
function isText(value, pattern) {
  return typeof value === "string" && pattern.test(value);
}

/** @param {unknown} value @param {RegExp} pattern */
function isTexts(value, pattern) {
  return (
    Array.isArray(value) && value.every((one) => isText(one, pattern)) && new Set(value).size === value.length
  );
}
