// What one server does not send, or sends damaged, comes from the next; every hash is checked.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Endpoint } from "../../src/net/endpoint.js";
import { MirroredSource } from "../../src/net/mirrored_source.js";
import { Package } from "../../src/net/package.js";
import { serve } from "../support/http_server.mjs";
import { fileOf, packageFiles } from "../support/packages.mjs";

const files = packageFiles("large");
const FAST = { delay: 1, attempts: 3, stall: 20_000 };
const SHARD = [...files.keys()].filter((name) => name.endsWith(".llq"))[0];
/** @type {import("../support/http_server.mjs").FileServer[]} */
const open = [];
after(() => Promise.all(open.map((server) => server.close())));

/**
 * @param {import("../support/http_server.mjs").DeviationOf} [deviationOf]
 * @param {ReadonlyMap<string, Uint8Array>} [contents]
 */
async function served(deviationOf, contents = files) {
  const server = await serve(contents, deviationOf);
  open.push(server);
  return server;
}

/** Loads a package from mirrors, and compares its first shard. @param {{url: string}[]} servers */
async function load(servers) {
  const source = new MirroredSource(
    servers.map(({ url }) => new Endpoint({ url })),
    FAST,
  );
  const opened = await Package.open(source);
  const { program } = opened.metadata;
  assert.ok(program !== undefined);
  await opened.readFile(program);
  const expected = fileOf(files, SHARD);
  const received = new Uint8Array(expected.length);
  for await (const { offset, bytes } of opened.shardPieces([0])) received.set(bytes, offset);
  assert.ok(Buffer.from(received).equals(expected), "other bytes");
}

/** A package with one byte of a file changed. @param {string} name @param {number} at */
function flipped(name, at) {
  const bytes = fileOf(files, name).slice();
  bytes[at] ^= 1;
  return new Map(files).set(name, bytes);
}

const FAULTS = {
  "404 for all files": [() => ({ status: 404 })],
  "503 for all files": [() => ({ status: 503 })],
  "404 for a shard": [only(SHARD, { status: 404 })],
  "a web page for a shard": [only(SHARD, { html: true })],
  "a shard that is cut": [only(SHARD, { cut: 0 })],
  "a redirect of the metadata": [only("metadata.json", { redirect: "http://127.0.0.1:9/metadata.json" })],
  "a damaged shard": [undefined, flipped(SHARD, 9_000_000)],
  "a damaged preamble": [undefined, flipped(SHARD, 40)],
  "a damaged program": [undefined, flipped("program.json", 100)],
  "a shard of another length": [undefined, new Map(files).set(SHARD, fileOf(files, SHARD).slice(0, -256))],
};

/** @param {string} file @param {import("../support/http_server.mjs").Deviation} deviation */
function only(file, deviation) {
  return (/** @type {unknown} */ _request, /** @type {string} */ name) => (name === file ? deviation : {});
}

for (const [name, [deviationOf, contents]] of Object.entries(FAULTS)) {
  test(`${name} at the first mirror: the second sends it`, async () => {
    const first = await served(/** @type {any} */ (deviationOf), /** @type {any} */ (contents));
    const second = await served();
    await load([first, second]);
    assert.ok(first.requests.length > 0 && second.requests.length > 0);
  });

  test(`${name} at two mirrors: the third sends it`, async () => {
    const broken = [0, 1].map(() => served(/** @type {any} */ (deviationOf), /** @type {any} */ (contents)));
    await load([...(await Promise.all(broken)), await served()]);
  });
}

test("the first mirror alone is asked while it sends everything", async () => {
  const [first, second] = [await served(), await served()];
  await load([first, second]);
  assert.deepEqual(second.requests, []);
});

test("a mirror that sent nothing is not asked for every piece", async () => {
  const first = await served(only(SHARD, { status: 503 }));
  await load([first, await served()]);
  assert.ok(first.requests.filter(({ name }) => name === SHARD).length <= 2 * 4); // four pieces at a time
});

test("a file that no mirror has: the error is that of the first", async () => {
  const [first, second] = [await served(only(SHARD, { status: 404 })), await served(() => ({ status: 403 }))];
  await assert.rejects(load([first, second]), { code: "not-found" });
});

test("a part that is damaged at all mirrors: LLQ-HASH-1", async () => {
  const contents = flipped(SHARD, 9_000_000);
  const mirrors = await Promise.all([0, 1, 2].map(() => served(undefined, contents)));
  await assert.rejects(load(mirrors), { rule: "LLQ-HASH-1", code: "hash" });
});
