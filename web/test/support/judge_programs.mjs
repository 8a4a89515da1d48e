// Prints the rule of the first error of each program.json, null for none:
//
//   node judge_programs.mjs PACKAGE FILE
//
// FILE is a JSON array of texts, and each text is checked as the program of the package.

import { readFileSync } from "node:fs";
import process from "node:process";

import { programOf } from "./programs.mjs";

const [path, file] = process.argv.slice(2);
const { ruleOf } = await programOf(path);
/** @type {string[]} */
const texts = JSON.parse(readFileSync(file, "utf8"));
const rules = [];
for (const text of texts) rules.push(await ruleOf(new TextEncoder().encode(text)));
process.stdout.write(JSON.stringify(rules));
