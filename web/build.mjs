// Makes dist/: the package in one file, and the page and the adapter of the conformance suite, each with the
// licences
// of the packages whose code it contains.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { build } from "esbuild";

/** @type {import("esbuild").BuildOptions[]} */
const BUNDLES = [
  { entryPoints: ["index.js"], outfile: "dist/webgpu-llama4.js" },
  { entryPoints: ["harness/harness.js"], outfile: "dist/harness.js" },
  {
    entryPoints: ["node/adapter.mjs"],
    outfile: "dist/adapter.mjs",
    platform: "node",
    target: "node20",
    external: ["webgpu"], // its binary is installed where it is used
  },
];

/** Files of the workers, which are parts of every bundle. @type {Set<string>} */
const WORKER_FILES = new Set();

/** Returns the source of a worker in one file. @param {string} entry */
async function workerSource(entry) {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    absWorkingDir: import.meta.dirname,
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
  setup({ onLoad }) {
    onLoad({ filter: /[/\\\\]new_worker\.js$/ }, async () => ({
      contents: `
        ${await workerSource("src/net/worker.js")}
        /** Returns a worker; throws where the page allows none. */
        export function newWorker() {
          return new Worker(blobUrl(), { type: "module" });
        }
      `,
    }));
    onLoad({ filter: /[/\\\\]text_worker_url\.js$/ }, async () => ({
      contents: `
        ${await workerSource("src/text/text_worker.js")}
        let address = null;
        /** Returns the address; threads of Node read data only. */
        export function textWorkerUrl(isNode) {
          if (isNode) return new URL("data:text/javascript," + encodeURIComponent(SOURCE));
          address ??= blobUrl();
          return address;
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

await mkdir(new URL("dist", import.meta.url), { recursive: true });
for (const bundle of BUNDLES) {
  const { outputFiles, metafile } = await build({
    bundle: true,
    format: "esm",
    target: "es2023",
    absWorkingDir: import.meta.dirname,
    plugins: [EMBEDDED_WORKERS],
    ...bundle,
    metafile: true,
    write: false,
  });
  const [{ path, text }] = outputFiles;
  const partial = `${path}.${process.pid}`; // whoever reads the bundle meanwhile reads all of it
  await writeFile(partial, text + (await licences([...Object.keys(metafile.inputs), ...WORKER_FILES])));
  await rename(partial, path);
}
