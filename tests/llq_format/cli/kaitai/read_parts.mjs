// Compiles a Kaitai Struct definition to JavaScript and reads parts of shards with the result.
//
// stdin: {"definition": YAML, "shards": [{"file": PATH, "parts": [{"type": NAME, "offset": N, "params": [N, …]}]}]}
// stdout: [{"preamble": {…}, "parts": [{…}]}], every field by name; bytes in hexadecimal, u64 as decimal numbers.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import compiler from "kaitai-struct-compiler";
import { parse } from "./yaml.mjs";
