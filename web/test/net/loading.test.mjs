// Shards over HTTP into buffers: whole and verified, or a typed error, whatever the server does.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NetworkError, PackageError } from "../../src/errors.js";
import { toProgram } from "../../src/gpu/program.js";
import { upload } from "../../src/gpu/upload.js";
import { PackageCache } from "../../src/net/cache.js";
import { CacheStore } from "../../src/net/cache_store.js";
import { Endpoint } from "../../src/net/endpoint.js";
import { MirroredSource } from "../../src/net/mirrored_source.js";
import { Package } from "../../src/net/package.js";
import { parseProgram } from "../../src/package/program_file.js";
import { serve } from "../support/http_server.mjs";
import { memoryDevice } from "../support/memory_device.mjs";
import { memoryStorage } from "../support/memory_storage.mjs";
import { fileOf, packageFiles } from "../support/packages.mjs";
import { milliseconds } from "../support/timeouts.mjs";

const files = packageFiles("large"); // its first shard comes in several pieces
const FAST = { delay: 1, stall: milliseconds(20) };
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

/** @typedef {import("../../src/net/http_source.js").FetchOptions & {cache?: PackageCache}} Options */

/** @param {string} url @param {Options} [options] */
function openAt(url, { cache, ...fetching } = {}) {
  const cached = cache === undefined ? null : { cache, url };
  return Package.open(new MirroredSource([new Endpoint({ url })], { ...FAST, ...fetching }), { cached });
}

/**
 * Loads all shards of the package, and compares what arrived.
 *
 * @param {string} url
 * @param {Options} [options]
 * @param {import("../../src/net/shard_reader.js").OnBytes} [onBytes]
 */
async function load(url, options = {}, onBytes = undefined) {
  const device = memoryDevice();
  const opened = await openAt(url, options);
  const program = await programOf(opened);
  try {
    await upload(opened, device, program, { onBytes });
    await opened.complete();
  } finally {
    await opened.stored();
  }
  for (const [index, { file }] of opened.metadata.shards.entries()) {
    assert.deepEqual(device.buffers[index].data, files.get(file), file);
  }
  return { device, opened };
}

/** @param {Package} opened */
async function programOf(opened) {
  const { program } = opened.metadata;
  assert.ok(program !== undefined);
  return toProgram(await parseProgram(await opened.readFile(program)));
}

/** @param {string} name */
function isShard(name) {
  return name.endsWith(".llq");
}

test("ranges: every byte arrives, in pieces, and progress counts each once", async () => {
  const { url, requests } = await served();
  let loaded = 0;
  const { opened } = await load(url, {}, (_file, bytes) => (loaded += bytes));
  assert.equal(
    loaded,
    opened.metadata.shards.reduce((sum, { byte_length: size }) => sum + size, 0),
  );
  assert.ok(requests.filter(({ name, range }) => isShard(name) && range !== null).length > 1);
});

test("a server that ignores ranges: one answer is read to its end", async () => {
  const { url, requests } = await served((_request, name) => ({ ranges: !isShard(name) }));
  await load(url);
  assert.ok(
    requests.filter(({ name }) => isShard(name)).length <= 2 * [...files.keys()].filter(isShard).length,
  );
});

test("a server that ignores ranges and cuts: what was had is skipped", async () => {
  let cuts = 0;
  const { url } = await served((_request, name) => ({
    ranges: false,
    cut: isShard(name) && cuts++ < 3 ? 9_000_000 : undefined,
  }));
  await load(url);
  assert.ok(cuts > 3);
});

test("a short 206: the rest is asked for", async () => {
  let shortened = 0;
  const { url } = await served((request) => {
    if (request.headers.range === undefined) return {};
    shortened++;
    return { short: 3_000_000 };
  });
  await load(url);
  assert.ok(shortened > 1);
});

test("a connection cut in the middle of a shard: only what is missing is asked for again", async () => {
  let cuts = 0;
  const { url, requests } = await served((_request, name) => ({
    cut: isShard(name) && cuts++ < 2 ? 1_000_000 : undefined,
  }));
  await load(url);
  const starts = requests
    .filter(({ name }) => isShard(name))
    .map(({ range }) => Number(/=(\d+)/.exec(range ?? "=0")?.[1]));
  assert.ok(
    starts.some((start) => start % (8 << 20) !== 0),
    String(starts),
  );
});

test("a connection that is always cut before a byte: NetworkError cut or network", async () => {
  const { url } = await served((_request, name) => (isShard(name) ? { cut: 0 } : {}));
  await assert.rejects(
    load(url),
    (error) => error instanceof NetworkError && ["cut", "network"].includes(error.code),
  );
});

test("a server that falls silent: NetworkError stalled", async () => {
  const { url } = await served((_request, name) => (isShard(name) ? { silent: true } : {}));
  await assert.rejects(load(url, { attempts: 2, stall: 300 }), { name: "NetworkError", code: "stalled" });
});

test("an HTML page for a shard, and for the metadata: NetworkError html", async () => {
  const shard = await served((_request, name) => ({ html: isShard(name) }));
  await assert.rejects(load(shard.url), { name: "NetworkError", code: "html" });
  const metadata = await served((_request, name) => ({ html: name === "metadata.json" }));
  await assert.rejects(load(metadata.url), { name: "NetworkError", code: "html" });
});

test("gzip: of a whole file it is undone, of a range the whole file is asked for", async () => {
  const { url } = await served((_request, name) => ({ gzip: isShard(name) }));
  await load(url);
  const whole = await served((_request, name) => ({ gzip: isShard(name), ranges: !isShard(name) }));
  await load(whole.url);
});

test("bytes damaged in transit once: fetched again; always: LLQ-HASH-1", async () => {
  const [name] = [...files.keys()].filter(isShard);
  const damaged = fileOf(files, name).slice();
  damaged[damaged.length - 300] ^= 1;
  const contents = new Map(files).set(name, damaged);
  const { url } = await served((_request, file) => {
    if (file === name) contents.set(name, fileOf(files, name));
    return {};
  }, contents);
  await load(url);
  const always = await served(undefined, new Map(files).set(name, damaged));
  await assert.rejects(
    load(always.url),
    (e) => e instanceof PackageError && e.rule === "LLQ-HASH-1" && e.code === "hash",
  );
});

test("a preamble damaged in transit once: fetched again; always: its rule", async () => {
  const [name] = [...files.keys()].filter(isShard);
  const damaged = fileOf(files, name).slice();
  damaged[40] ^= 1;
  const contents = new Map(files).set(name, damaged);
  const { url } = await served((_request, file) => {
    if (file === name) contents.set(name, fileOf(files, name));
    return {};
  }, contents);
  await load(url);
  const always = await served(undefined, new Map(files).set(name, damaged));
  await assert.rejects(load(always.url), { name: "PackageError", rule: "LLQ-SHARD-6" });
});

test("a wrong byte in program.json: LLQ-HASH-2; in metadata.json: LLQ-CANON-2", async () => {
  const flipped = (/** @type {string} */ name, /** @type {number} */ at) => {
    const bytes = fileOf(files, name).slice();
    bytes[at] = bytes[at] === 0x31 ? 0x32 : 0x31;
    return new Map(files).set(name, bytes);
  };
  const program = await served(undefined, flipped("program.json", 100));
  await assert.rejects(load(program.url), { name: "PackageError", rule: "LLQ-HASH-2" });
  const metadata = await served(undefined, flipped("metadata.json", 20));
  await assert.rejects(load(metadata.url), { name: "PackageError", rule: "LLQ-CANON-2" });
});

test("a shard of another length: LLQ-PKG-8", async () => {
  const [name] = [...files.keys()].filter(isShard);
  for (const ranges of [true, false]) {
    const contents = new Map(files).set(name, fileOf(files, name).slice(0, -256));
    const { url } = await served(() => ({ ranges }), contents);
    await assert.rejects(load(url), { name: "PackageError", rule: "LLQ-PKG-8" });
  }
});

test("a redirect of metadata to another origin is refused, of shards followed", async () => {
  const other = await served();
  const metadata = await served((_request, name) =>
    name === "metadata.json" ? { redirect: other.url + name } : {},
  );
  await assert.rejects(load(metadata.url), { name: "NetworkError", code: "redirect" });
  const shard = await served((_request, name) => (isShard(name) ? { redirect: other.url + name } : {}));
  await load(shard.url);
});

test("status 503 passes, 403 does not", async () => {
  let count = 0;
  const busy = await served((_request, name) => ({ status: isShard(name) && count++ < 2 ? 503 : undefined }));
  await load(busy.url);
  const forbidden = await served((_request, name) => ({ status: isShard(name) ? 403 : undefined }));
  await assert.rejects(load(forbidden.url), { name: "NetworkError", status: 403 });
});

test("a range from elsewhere: NetworkError range", async () => {
  const { url } = await served((_request, name) => (isShard(name) ? { shifted: 1 } : {}));
  await assert.rejects(load(url), { name: "NetworkError", code: "range" });
});

test("aborting ends the download with the reason, and frees the buffers", async () => {
  const { url } = await served();
  const device = memoryDevice();
  const opened = await openAt(url);
  const program = await programOf(opened);
  const stop = new AbortController();
  const loading = upload(opened, device, program, { signal: stop.signal, onBytes: () => stop.abort() });
  await assert.rejects(loading, { name: "AbortError" });
  assert.ok(device.buffers.length > 0 && device.buffers.every(({ destroyed }) => destroyed));
});

test("what was loaded is kept: the second load asks for no shard, offline it works too", async () => {
  const server = await served();
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  const { opened } = await load(server.url, { cache });
  const before = server.requests.length;
  await load(server.url, { cache });
  assert.deepEqual(
    server.requests.slice(before).map(({ name }) => name),
    ["metadata.json"],
  );
  await server.close();
  open.splice(open.indexOf(server), 1);
  await load(server.url, { cache, attempts: 1 });
  const [kept] = await cache.list();
  assert.equal(kept.url, server.url);
  assert.ok(kept.bytes > opened.metadata.shards.reduce((sum, { byte_length: size }) => sum + size, 0));
  await cache.clear(server.url);
  assert.deepEqual(await cache.list(), []);
});

test("a load that was cut off for good goes on where it ended", async () => {
  let broken = true;
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  const server = await served((request) => {
    const start = Number(/=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
    return { status: broken && start >= 16 << 20 ? 403 : undefined };
  });
  await assert.rejects(load(server.url, { cache, parallel: 1 }), { name: "NetworkError" });
  broken = false;
  const before = server.requests.length;
  await load(server.url, { cache });
  const later = server.requests.slice(before).filter((request) => isShard(request.name));
  assert.ok(
    later.length > 0 && later.every(({ range }) => Number(/=(\d+)/.exec(range ?? "")?.[1]) >= 16 << 20),
  );
});

test("bytes damaged in the cache are dropped and fetched", async () => {
  const server = await served();
  const storage = memoryStorage();
  const cache = new PackageCache(new CacheStore(storage));
  await load(server.url, { cache });
  storage.damage((address) => address.includes("/0-"));
  await load(server.url, { cache });
});

test("a cache without room does not stop loading", async () => {
  const server = await served();
  const cache = new PackageCache(new CacheStore(memoryStorage(1 << 20)));
  await load(server.url, { cache });
  assert.ok(cache.failure instanceof DOMException);
  assert.equal(cache.failure.name, "QuotaExceededError");
});
