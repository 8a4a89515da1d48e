// The cache of a package: when it answers, what it drops, and what it reports.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NetworkError } from "../../src/errors.js";
import { PackageCache } from "../../src/net/cache.js";
import { CacheStore } from "../../src/net/cache_store.js";
import { PackageFiles } from "../../src/net/package_files.js";
import { disguised } from "../support/disguise.mjs";
import { memoryStorage } from "../support/memory_storage.mjs";

const URL_OF_PACKAGE = "http://package.invalid/model/";
const LENGTH = 1 << 16;

/**
 * Returns a state of a package with one shard, whose bytes and hash are made of a letter.
 *
 * @param {string} letter
 */
function state(letter) {
  const entry = { file: "m.llq", byte_length: LENGTH, sha256: letter.repeat(64) };
  /** @type {import("../../src/package/metadata_types.js").Metadata} */
  const metadata = disguised({ shards: [entry] });
  const code = letter.charCodeAt(0);
  return {
    entry,
    metadata,
    text: new TextEncoder().encode(`metadata ${letter}`),
    bytes: new Uint8Array(LENGTH).fill(code),
  };
}

/** @typedef {ReturnType<typeof state>} State */

/**
 * Returns the source of a state, and what was asked for.
 *
 * @param {State} served
 * @param {unknown} [failure] of metadata.json
 */
function sourceOf({ text, bytes }, failure = null) {
  /** @type {string[]} */
  const requests = [];
  /** @type {import("../../src/net/source.js").Source} */
  const source = {
    async metadata() {
      requests.push("metadata");
      if (failure !== null) throw failure;
      return text.slice();
    },
    async piece(_entry, { offset, length }) {
      requests.push("piece");
      return bytes.slice(offset, offset + length);
    },
  };
  return { source, requests };
}

/**
 * Loads a state, and returns what came: metadata, bytes, and whether they were stored.
 *
 * @param {PackageCache} cache
 * @param {State} served
 * @param {unknown} [failure]
 */
async function load(cache, served, failure) {
  const { source, requests } = sourceOf(served, failure);
  const files = new PackageFiles(source, { cache, url: URL_OF_PACKAGE });
  const text = await files.metadata();
  files.use(served.metadata);
  /** @type {boolean[]} */
  const cached = [];
  const onPiece = (/** @type {number} */ _length, /** @type {boolean} */ stored) => cached.push(stored);
  const pieces = [0, LENGTH / 2].map((offset) => ({ offset, length: LENGTH / 2 }));
  const bytes = await files.read(served.entry, pieces, { onPiece });
  assert.deepEqual(bytes, served.bytes);
  await files.complete();
  return { text, cached, requests };
}

/** @param {number} status */
const answered = (status) => new NetworkError(`status ${status}`, { code: "status", status });

const PASSING = {
  429: answered(429),
  502: answered(502),
  403: answered(403),
  401: answered(401),
  500: answered(500),
  "a web page": new NetworkError("a page", { code: "html" }),
  "no network": new NetworkError("offline"),
  "a cut connection": new NetworkError("cut", { code: "cut" }),
};
for (const [name, failure] of Object.entries(PASSING)) {
  test(`metadata cannot be had (${name}): a stored package is used, and nothing else is asked for`, async () => {
    const cache = new PackageCache(new CacheStore(memoryStorage()));
    const a = state("a");
    await assert.rejects(load(cache, a, failure), { name: "NetworkError" }); // nothing is stored yet
    assert.deepEqual((await load(cache, a)).cached, [false, false]);
    const again = await load(cache, a, failure);
    assert.deepEqual(again.text, a.text);
    assert.deepEqual(again.cached, [true, true]);
    assert.deepEqual(again.requests, ["metadata"]);
  });
}

for (const status of [404, 410]) {
  test(`status ${status} of metadata: the package is gone, stored or not`, async () => {
    const cache = new PackageCache(new CacheStore(memoryStorage()));
    await load(cache, state("a"));
    await assert.rejects(load(cache, state("a"), answered(status)), { status });
  });
}

test("an aborted load does not use stored metadata", async () => {
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  await load(cache, state("a"));
  const reason = new DOMException("stop", "AbortError");
  await assert.rejects(load(cache, state("a"), reason), (error) => error === reason);
});

test("a new state drops the files of the old one when it is complete, and other packages stay", async () => {
  const storage = memoryStorage();
  const cache = new PackageCache(new CacheStore(storage));
  const [a, b] = [state("a"), state("b")];
  const other = "http://package.invalid/other/";
  await load(cache, a);
  await cache.putMetadata(other, a.text);
  await load(cache, b);
  const packages = await new CacheStore(storage).packages();
  const hashes = new Set(packages.get(URL_OF_PACKAGE)?.map(({ name }) => name.split("/")[0]));
  assert.deepEqual(hashes, new Set(["metadata", b.entry.sha256]));
  assert.ok(packages.has(other));
  assert.deepEqual((await load(cache, b)).cached, [true, true]);
});

test("a new state that is not complete leaves the old one as it is, metadata included", async () => {
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  const [a, b] = [state("a"), state("b")];
  await load(cache, a);
  const files = new PackageFiles(sourceOf(b).source, { cache, url: URL_OF_PACKAGE });
  await files.metadata();
  files.use(b.metadata);
  await files.read(b.entry, [{ offset: 0, length: LENGTH / 2 }]);
  await files.stored();
  const again = await load(cache, a, answered(502));
  assert.deepEqual(again.text, a.text);
  assert.deepEqual(again.cached, [true, true]);
});

test("where the quota has room for one state, the old one makes room for the new one", async () => {
  const cache = new PackageCache(new CacheStore(memoryStorage(1.5 * LENGTH)));
  const [a, b] = [state("a"), state("b")];
  await load(cache, a);
  await load(cache, b);
  assert.equal(cache.failure, null);
  assert.deepEqual((await load(cache, b)).cached, [true, true]);
});

test("where the quota has no room at all, a package loads, and nothing is dropped in vain", async () => {
  const cache = new PackageCache(new CacheStore(memoryStorage(LENGTH / 4)));
  assert.deepEqual((await load(cache, state("a"))).cached, [false, false]);
  assert.equal(/** @type {DOMException} */ (cache.failure).name, "QuotaExceededError");
});

test("one of two pieces is stored: the other one is fetched", async () => {
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  const a = state("a");
  await load(cache, a);
  await cache.drop(URL_OF_PACKAGE, a.entry, [{ offset: 0, length: LENGTH / 2 }]);
  const { cached, requests } = await load(cache, a);
  assert.deepEqual(requests, ["metadata", "piece"]);
  assert.deepEqual(cached.sort(), [false, true]);
});

for (const silent of ["read", "write", "packages"]) {
  test(`a store that does not answer (${silent}) blocks no load`, async () => {
    const store = new CacheStore(memoryStorage());
    Object.assign(store, { [silent]: () => new Promise(() => {}) });
    const cache = new PackageCache(store, 20);
    const { cached, requests } = await load(cache, state("a"));
    assert.deepEqual(cached, [false, false]);
    assert.deepEqual(requests, ["metadata", "piece", "piece"]);
    assert.match(String(cache.failure), /does not answer within 20 ms/);
    assert.deepEqual((await load(cache, state("a"))).cached, [false, false]); // and is not asked again
  });
}
