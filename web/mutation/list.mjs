// Lists the mutants of folders of web/src, one JSON object a line:
//
//   deno run --allow-read web/mutation/list.mjs text api net package

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { replacements } from "./operators.mjs";

const WEB = dirname(dirname(fileURLToPath(import.meta.url)));

for (const area of process.argv.slice(2)) {
  const folder = join(WEB, "src", area);
  const names = readdirSync(folder, { recursive: true }).map(String);
  for (const name of names.filter((file) => file.endsWith(".js")).sort()) list(area, join("src", area, name));
}

/** Prints the mutants of a file; `id` does not depend on the place of other code. */
function list(/** @type {string} */ area, /** @type {string} */ file) {
  const source = readFileSync(join(WEB, file), "utf8");
  const tree = parse(source, { ecmaVersion: "latest", sourceType: "module", locations: true });
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { operator, start, end, after, within } of replacements(tree, source)) {
    const before = source.slice(start, end);
    const change = `${before.replace(/\s+/g, " ")} => ${after.replace(/\s+/g, " ")}`;
    const key = [file, within, operator, change].join(" | ");
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const line = source.slice(0, start).split("\n").length;
    const id = count === 1 ? key : `${key} | ${count}`;
    process.stdout.write(`${JSON.stringify({ id, area, file, operator, line, start, end, after })}\n`);
  }
}
