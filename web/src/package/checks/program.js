/**
 * Stage `program`: program.json against its schema, the module and the metadata (rules LLQ-PROG-3 to
 * LLQ-PROG-21).
 */

import { settle } from "../findings.js";
import { PREAMBLE_BYTES } from "../layout.js";
import { PROGRAM_NAME } from "../program_file.js";
import { integerOfCanonicalJson } from "../read_json.js";
import { checkSchema } from "../schema.js";
import { PROGRAM_SCHEMA } from "../specification.js";

/** @typedef {import("../findings.js").Findings} Findings */
/** @typedef {import("../json.js").Json} Json */
/** @typedef {import("../metadata_types.js").Metadata} Metadata */
/** @typedef {import("../metadata_types.js").ModelEntry} ModelEntry */
/** @typedef {import("../module.js").Section} Section */
/** @typedef {import("../program_types.js").Dispatch} Dispatch */
/** @typedef {import("../program_types.js").ProgramFile} ProgramFile */

/** WebGPU's default maxStorageBufferBindingSize. */
const MAX_BINDING = 128 << 20;
/** WebGPU's default maxBufferSize. */
const MAX_SHARD = 256 << 20;
const STATE_BYTES = 256;
/** Passes that run for one position. */
const ONE_POSITION = ["last", "greedy", "sample"];

/**
 * Checks a program; throws the first error, as chapter Validation orders findings.
 *
 * @param {ProgramFile} program in canonical form
 * @param {Metadata} metadata
 * @param {ModelEntry} model
 * @param {ReadonlyMap<string, Section>} sections of the module
 * @throws {import("../../errors.js").PackageError}
 */
export function checkProgram(program, metadata, model, sections) {
  settle(shape(program));
  settle(relations(program, metadata, model, sections));
}

/**
 * Yields what breaks the schema. Limits of WebGPU are LLQ-PROG-4, which the schema names; all else is
 * LLQ-PROG-3.
 *
 * @param {ProgramFile} program
 * @returns {Findings}
 */
function* shape(program) {
  const value = /** @type {Json} */ (/** @type {unknown} */ (program));
  for (const [rule, message] of checkSchema(PROGRAM_SCHEMA, value, integerOfCanonicalJson)) {
    yield [rule === "LLQ-PROG-4" ? rule : "LLQ-PROG-3", `${PROGRAM_NAME}: ${message}`];
  }
}

/**
 * Yields what breaks LLQ-PROG-5 to LLQ-PROG-21.
 *
 * @param {ProgramFile} program that satisfies the schema
 * @param {Metadata} metadata
 * @param {ModelEntry} model
 * @param {ReadonlyMap<string, Section>} sections
 * @returns {Findings}
 */
function* relations(program, metadata, model, sections) {
  const checks = [
    variants(program, sections),
    entryPoints(program, sections),
    weights(program, metadata),
    buffers(program),
    knownBuffers(program, model),
    dispatches(program),
  ];
  for (const findings of checks) {
    for (const [rule, message] of findings) yield [rule, `${PROGRAM_NAME}: ${message}`];
  }
}

/** @param {ProgramFile} program @param {ReadonlyMap<string, Section>} sections @returns {Findings} */
function* variants({ variants: all }, sections) {
  const [portable] = all;
  for (const member of /** @type {const} */ (["features", "language", "directives"])) {
    if (portable[member].length > 0) yield ["LLQ-PROG-5", `the first variant has ${member}, expected none`];
  }
  const names = new Set();
  for (const { name, sections: sectionNames } of all) {
    if (names.has(name)) yield ["LLQ-PROG-6", `two variants are called ${name}`];
    names.add(name);
    for (const section of sectionNames) {
      if (!sections.has(section)) yield ["LLQ-PROG-7", `the module has no section ${section}`];
    }
  }
  const outsideComments = [...sections.values()]
    .filter((section) => section.portable)
    .map(({ name }) => name);
  if (outsideComments.join() !== portable.sections.join()) {
    const [actual, expected] = [portable.sections.join(", "), outsideComments.join(", ")];
    yield [
      "LLQ-PROG-8",
      `the sections of the first variant are ${actual}, expected those outside comments: ${expected}`,
    ];
  }
}

/** @param {ProgramFile} program @param {ReadonlyMap<string, Section>} sections @returns {Findings} */
function* entryPoints(program, sections) {
  for (const variant of program.variants) {
    const names = variant.sections.flatMap((name) => sections.get(name)?.entryPoints ?? []);
    for (const entryPoint of Object.keys(program.pipelines)) {
      const count = names.filter((name) => name === entryPoint).length;
      if (count !== 1) {
        yield [
          "LLQ-PROG-9",
          `variant ${variant.name} has ${count} entry points called ${entryPoint}, expected 1`,
        ];
      }
    }
  }
}

/** @param {ProgramFile} program @param {Metadata} metadata @returns {Findings} */
function* weights(program, { shards }) {
  for (const [name, { shard, offset, size }] of Object.entries(program.weights)) {
    if (Object.hasOwn(program.buffers, name))
      yield ["LLQ-PROG-10", `${name} is the name of a range and of a buffer, expected different names`];
    if (shard >= shards.length) {
      yield ["LLQ-PROG-11", `range ${name} is in shard ${shard}, expected less than ${shards.length}`];
      continue;
    }
    const length = shards[shard].byte_length;
    const end = offset + size;
    if (offset < PREAMBLE_BYTES || end > length) {
      yield [
        "LLQ-PROG-11",
        `range ${name} is bytes ${offset} to ${end - 1}, expected within ${PREAMBLE_BYTES} to ${length - 1}`,
      ];
    }
    if (length > MAX_SHARD) {
      yield ["LLQ-PROG-11", `range ${name} is in a shard of ${length} bytes, expected at most ${MAX_SHARD}`];
    }
  }
}

/** @param {ProgramFile} program @returns {Findings} */
function* buffers(program) {
  for (const [name, buffer] of Object.entries(program.buffers)) {
    const size = buffer.bytes + buffer.bytes_per_position * program.context_length;
    if (size < 1 || size > MAX_BINDING) {
      yield ["LLQ-PROG-12", `buffer ${name} has ${size} bytes, expected 1 to ${MAX_BINDING}`];
    }
  }
}

/** @param {ProgramFile} program @param {ModelEntry} model @returns {Findings} */
function* knownBuffers(program, model) {
  const sizes = new Map([
    ["state", STATE_BYTES],
    ["sampling", STATE_BYTES],
    ["tokens", 4 * program.chunk],
    ["logits", 4 * model.vocab_size],
    ["all_logits", 4 * program.chunk * model.vocab_size],
  ]);
  for (const [name, bytes] of sizes) {
    const buffer = Object.hasOwn(program.buffers, name) ? program.buffers[name] : null;
    if (buffer?.bytes !== bytes || buffer.bytes_per_position !== 0 || buffer.init !== "zero") {
      yield ["LLQ-PROG-13", `buffer ${name} is missing or different, expected ${bytes} bytes of zeros`];
    }
  }
  const perPosition = 4 * model.head_dim;
  for (const [name, buffer] of Object.entries(program.buffers)) {
    if (buffer.init !== "rope" || sizes.has(name)) continue;
    if (buffer.bytes !== 0 || buffer.bytes_per_position !== perPosition) {
      yield ["LLQ-PROG-13", `table ${name} is of another size, expected ${perPosition} bytes per position`];
    }
  }
  const { context_length: length } = program;
  if (length > model.context_length) {
    yield ["LLQ-PROG-14", `context_length is ${length}, expected at most ${model.context_length}`];
  }
}

/** @param {ProgramFile} program @returns {Findings} */
function* dispatches(program) {
  for (const [pass, run] of Object.entries(program.passes)) {
    for (const dispatch of run) {
      const { label, parameters, workgroups } = dispatch;
      const place = `pass ${pass}, ${label}:`;
      yield* bindings(program, dispatch, place);
      if (parameters >= program.parameters.length) {
        yield ["LLQ-PROG-20", `${place} parameter slot ${parameters} does not exist`];
      }
      if (ONE_POSITION.includes(pass) && !workgroups.every(Number.isInteger)) {
        yield ["LLQ-PROG-21", `${place} the grid depends on the number of tokens, expected whole numbers`];
      }
    }
  }
}

/** @param {ProgramFile} program @param {Dispatch} dispatch @param {string} place @returns {Findings} */
function* bindings({ weights: ranges, buffers: planned, pipelines }, dispatch, place) {
  const { bindings: names, entry_point: entryPoint } = dispatch;
  for (const name of names) {
    if (!Object.hasOwn(ranges, name) && !Object.hasOwn(planned, name)) {
      yield ["LLQ-PROG-17", `${place} no range or buffer is called ${name}`];
    }
  }
  if (!Object.hasOwn(pipelines, entryPoint)) {
    yield ["LLQ-PROG-15", `${place} pipelines does not list ${entryPoint}`];
    return;
  }
  const accesses = pipelines[entryPoint];
  if (accesses.length !== names.length) {
    yield ["LLQ-PROG-16", `${place} found ${names.length} bindings, expected ${accesses.length}`];
    return;
  }
  for (const [index, name] of names.entries()) {
    if (accesses[index] === "read") continue;
    if (Object.hasOwn(ranges, name)) yield ["LLQ-PROG-18", `${place} weights ${name} are bound for writing`];
    const count = names.filter((other) => other === name).length;
    if (count > 1) yield ["LLQ-PROG-19", `${place} ${name} is bound for writing and bound ${count} times`];
  }
}
