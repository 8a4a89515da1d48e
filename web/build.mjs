// Makes dist/: the package in one file, and the page and the adapter of the conformance suite, each with the licences
// of what is in it.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

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

/** Returns a comment with the licences of the packages that files lie in. */
async function licences(files) {
  const names = new Set(
    files.map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean),
  );
  const texts = await Promise.all(
    [...names].sort().map(async (name) => {
      const folder = new URL(`node_modules/${name}/`, import.meta.url);
      const { version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
      const text = await readFile(new URL("LICENSE", folder), "utf8");
      return `This file holds code of ${name} ${version}, ${license}:\n\n${text.trim().replaceAll("*/", "* /")}\n`;
    }),
  );
  return `/*!\n${texts.join("\n")}*/\n`;
}

await mkdir(new URL("dist", import.meta.url), { recursive: true });
for (const bundle of BUNDLES) {
  const { outputFiles, metafile } = await build({
    bundle: true,
    format: "esm",
    target: "es2023",
    metafile: true,
    write: false,
    absWorkingDir: import.meta.dirname,
    ...bundle,
  });
  await writeFile(outputFiles[0].path, outputFiles[0].text + (await licences(Object.keys(metafile.inputs))));
}
