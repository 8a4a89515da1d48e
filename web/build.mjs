// Makes dist/: the package in one file, and the page and the adapter of the conformance suite, each with the
// licences
// of the packages whose code it contains.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { build } from "esbuild";

/** @type {import("esbuild").BuildOptions} */
const COMMON = {
  bundle: true,
  format: "esm",
  target: "es2023",
  absWorkingDir: import.meta.dirname,
  logOverride: { "empty-import-meta": "error" },
};

const LIBRARY = "dist/webgpu-llama4.js";
/** The library, and what its worker needs of it in addition. */
const LIBRARY_ENTRY = 'export * from "./index.js"; export { serveModel } from "./src/api/serve_model.js";';

/** @type {import("esbuild").BuildOptions[]} */
const BUNDLES = [
  {
    stdin: { contents: LIBRARY_ENTRY, resolveDir: import.meta.dirname },
    outfile: LIBRARY,
    format: "iife",
    globalName: "library",
  },
  { entryPoints: ["harness/harness.js"], outfile: "dist/harness.js" },
  {
    entryPoints: ["node/adapter.mjs"],
    outfile: "dist/adapter.mjs",
    platform: "node",
    target: "node20",
    external: ["webgpu"], // its binary is installed where it is used
  },
];

/** What the library's worker of models executes: the library itself, which its function `create` contains. */
const OWN_SOURCE = `function blobUrl() {
    const source = "const create = " + create + ";\\ncreate(create).serveModel();";
    return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  }`;

/** Files of the workers, which are parts of every bundle. @type {Set<string>} */
const WORKER_FILES = new Set();

/** Returns the source of a worker in one file. @param {string} entry */
async function workerSource(entry) {
  const { outputFiles, metafile } = await build({
    ...COMMON,
    entryPoints: [entry],
    minify: true,
    plugins: [EMBEDDED_WORKERS],
    metafile: true,
    write: false,
  });
  for (const file of Object.keys(metafile.inputs)) WORKER_FILES.add(file);
  return `const SOURCE = ${JSON.stringify(outputFiles[0].text)};
    function blobUrl() {
      return URL.createObjectURL(new Blob([SOURCE], { type: "text/javascript" }));
    }`;
}

/**
 * Puts the sources of the workers into a bundle, in place of their addresses.
 *
 * @type {import("esbuild").Plugin}
 */
const EMBEDDED_WORKERS = {
  name: "embedded workers",
  setup({ onLoad, initialOptions }) {
    onLoad({ filter: /[/\\\\]new_worker\.js$/ }, async () => ({
      contents: `
        ${await workerSource("src/net/worker.js")}
        /** Returns a worker; throws where the page allows none. */
        export function newWorker() {
          return new Worker(blobUrl(), { type: "module" });
        }
      `,
    }));
    onLoad({ filter: /[/\\\\]new_model_worker\.js$/ }, async () => ({
      contents: `
        ${initialOptions.outfile === LIBRARY ? OWN_SOURCE : await workerSource("src/api/model_worker.js")}
        /** Returns a worker; throws where the page allows none. */
        export function newModelWorker() {
          return new Worker(blobUrl(), { type: "module" });
        }
      `,
    }));
    onLoad({ filter: /[/\\\\]new_text_worker\.js$/ }, async () => ({
      contents: `
        ${await workerSource("src/text/text_worker.js")}
        /** Returns a worker of the web; throws where the page allows none. */
        export function newTextWorker() {
          return new Worker(blobUrl(), { type: "module" });
        }
        /** Returns the address, for a thread of Node, which reads data only. */
        export function textWorkerUrl() {
          return new URL("data:text/javascript," + encodeURIComponent(SOURCE));
        }
      `,
    }));
  },
};

/** Returns a comment with the licences of the packages that files belong to. @param {string[]} files */
async function licences(files) {
  const names = new Set(
    files.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
  );
  const texts = await Promise.all([...names].sort().map(licence));
  return `/*!\n${texts.join("\n")}*/\n`;
}

/** @param {string} name of a package */
async function licence(name) {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const { version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
  const text = await readFile(new URL("LICENSE", folder), "utf8");
  return `This file holds code of ${name} ${version}, ${license}:\n\n${text.trim().replaceAll("*/", "* /")}\n`;
}

/**
 * Returns the library as a module: a function that creates it, so that its worker can do so from the same text.
 *
 * @param {string} text of an immediately invoked function
 */
async function asModule(text) {
  const [begin, end] = ["var library = (() => {", "})();"];
  const from = text.indexOf(begin) + begin.length;
  const to = text.lastIndexOf(end);
  if (from < begin.length || to < from) throw new Error(`esbuild wrote another frame: ${text.slice(0, 100)}`);
  const { metafile } = await build({ ...COMMON, entryPoints: ["index.js"], metafile: true, write: false });
  const names = Object.values(metafile.outputs).flatMap(({ exports }) => exports);
  return `const create = (create) => {
"use strict";${text.slice(from, to)}};
export const { ${names.sort().join(", ")} } = create(create);
`;
}

await mkdir(new URL("dist", import.meta.url), { recursive: true });
for (const bundle of BUNDLES) {
  const { outputFiles, metafile } = await build({
    ...COMMON,
    plugins: [EMBEDDED_WORKERS],
    ...bundle,
    metafile: true,
    write: false,
  });
  const [{ path, text }] = outputFiles;
  const body = bundle.outfile === LIBRARY ? await asModule(text) : text;
  const partial = `${path}.${process.pid}`; // whoever reads the bundle meanwhile reads all of it
  await writeFile(partial, body + (await licences([...Object.keys(metafile.inputs), ...WORKER_FILES])));
  await rename(partial, path);
}
