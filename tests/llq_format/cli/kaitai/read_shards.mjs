// Compiles a Kaitai Struct definition to JavaScript and reads shards with the result.
//
// stdin: {"definition": YAML, "shards": [{"file": PATH, "parts": [{"dtype": NAME, "offset": N, "params": [N, …]}]}]}
// stdout: {"definition": as JSON, "shards": [{"preamble": STRUCTURE, "rest": BYTES, "parts": [STRUCTURE, …]}]}, where a
// structure is {"fields": {NAME: VALUE}, "ranges": {NAME: [START, END]}}: ranges from the start of the preamble or
// part, in bytes; bytes are in hexadecimal.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import KaitaiStream from "kaitai-struct/KaitaiStream.js";
import compiler from "kaitai-struct-compiler";
import { parse } from "yaml";

const WITH_RANGES = true; // the compiler's debug mode records where each field begins and ends

async function compile(definition) {
  const files = await compiler.compile("javascript", definition, null, WITH_RANGES);
  const exports = {};
  new Function("exports", "module", "require", files["LlqShard.js"])(
    exports,
    { exports },
    createRequire(import.meta.url),
  );
  return exports.LlqShard;
}

function value(read) {
  if (read instanceof Uint8Array) return Buffer.from(read).toString("hex");
  if (Array.isArray(read)) return read.map(value);
  return typeof read === "object" ? fields(read) : read;
}

/** Fields and instances of a structure by name; what begins with _ is the runtime's. */
function fields(structure) {
  const instances = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(structure)))
    .filter(([, property]) => property.get)
    .map(([name]) => name);
  const names = [...Object.keys(structure), ...instances].filter((name) => !name.startsWith("_"));
  return Object.fromEntries(names.map((name) => [name, value(structure[name])]));
}

function described(structure) {
  const ranges = Object.entries(structure._debug)
    .filter(([name]) => !name.startsWith("_"))
    .map(([name, { start, end }]) => [name, [start, end]]);
  return { fields: fields(structure), ranges: Object.fromEntries(ranges) };
}

function readPart(LlqShard, bytes, { dtype, offset, params }) {
  const name = dtype
    .split("_")
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join("");
  const part = new LlqShard[`Part${name}`](
    new KaitaiStream(bytes.slice(offset).buffer),
    null,
    null,
    ...params,
  );
  part._read();
  return described(part);
}

function readShard(LlqShard, { file, parts }) {
  const bytes = new Uint8Array(readFileSync(file));
  const shard = new LlqShard(new KaitaiStream(bytes.buffer));
  shard._read();
  const read = parts.map((part) => readPart(LlqShard, bytes, part));
  return { preamble: described(shard.preamble), rest: value(shard.parts), parts: read };
}

const request = JSON.parse(await text(process.stdin));
const definition = parse(request.definition);
const LlqShard = await compile(definition);
const shards = request.shards.map((shard) => readShard(LlqShard, shard));
process.stdout.write(JSON.stringify({ definition, shards }));
