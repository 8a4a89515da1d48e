// What requests carry, who gets it, and that nothing of it shows.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { PackageCache } from "../../src/net/cache.js";
import { CacheStore } from "../../src/net/cache_store.js";
import { Endpoint } from "../../src/net/endpoint.js";
import { MirroredSource } from "../../src/net/mirrored_source.js";
import { Package } from "../../src/net/package.js";
import { serve } from "../support/http_server.mjs";
import { memoryStorage } from "../support/memory_storage.mjs";
import { packageFiles } from "../support/packages.mjs";

const files = packageFiles("large");
const FAST = { delay: 1, attempts: 2 };
const QUERY = "?sig=c2VjcmV0&x=1";
const HEADERS = { authorization: "Bearer c2VjcmV0" };
/** @type {import("../support/http_server.mjs").FileServer[]} */
const open = [];
after(() => Promise.all(open.map((server) => server.close())));

/** @param {import("../support/http_server.mjs").DeviationOf} [deviationOf] */
async function served(deviationOf) {
  const server = await serve(files, deviationOf);
  open.push(server);
  return server;
}

/**
 * Reads the program and a shard of a package; returns what was read.
 *
 * @param {Endpoint} endpoint
 * @param {PackageCache} [cache]
 */
async function read(endpoint, cache) {
  const cached = cache && { cache, url: endpoint.url, isPrivate: endpoint.isPrivate };
  const opened = await Package.open(new MirroredSource([endpoint], FAST), { cached });
  const { program } = opened.metadata;
  assert.ok(program !== undefined);
  await opened.readFile(program);
  for await (const { bytes } of opened.shardPieces([0])) assert.ok(bytes.length > 0);
  await opened.complete();
}

test("every request carries the query and the headers", async () => {
  const { url, requests } = await served();
  await read(new Endpoint({ url, query: QUERY, headers: HEADERS }));
  assert.ok(requests.length >= 3); // metadata, program, and a shard
  for (const { name, query, headers } of requests) {
    assert.deepEqual([query, headers.authorization], [QUERY, HEADERS.authorization], name);
  }
});

test("another function makes all requests", async () => {
  const { url, requests } = await served();
  /** @type {string[]} */
  const asked = [];
  await read(
    new Endpoint({ url }, (address, init) => {
      asked.push(address.slice(url.length));
      return fetch(address, init);
    }),
  );
  assert.deepEqual(
    asked,
    requests.map(({ name }) => name),
  );
});

test("a function that gives no response is refused, one that throws is a connection that fails", async () => {
  const none = new Endpoint({ url: "http://x/" }, async () => /** @type {any} */ ("text"));
  await assert.rejects(read(none), { code: "input", message: /resolved to string, expected a Response/ });
  const broken = new Endpoint({ url: "http://x/" }, () => Promise.reject(new Error("no tunnel")));
  await assert.rejects(read(broken), { code: "network", cause: new Error("no tunnel") });
});

const FAILURES = {
  "no server": undefined,
  "status 403": { status: 403 },
  "a web page": { html: true },
  "a cut": { cut: 10 },
  "a redirect": { redirect: "http://127.0.0.1:9/metadata.json?sig=c2VjcmV0" },
};

for (const [name, deviation] of Object.entries(FAILURES)) {
  test(`errors show no secret: ${name}`, async () => {
    const server = await served(() => deviation ?? {});
    if (deviation === undefined) await server.close();
    const error = await read(new Endpoint({ url: server.url, query: QUERY, headers: HEADERS })).then(
      () => assert.fail("it loads"),
      (/** @type {unknown} */ reason) => reason,
    );
    assert.ok(!inspect(error, { depth: null }).includes("c2VjcmV0"), inspect(error));
  });
}

test("a platform that names the whole address in its errors does not show the query", async () => {
  const { withoutSecrets } = Endpoint.prototype;
  const endpoint = new Endpoint({ url: "http://x/", query: QUERY });
  const naming = new TypeError(`cannot send a request to http://x/${QUERY}`);
  assert.equal(withoutSecrets.call(endpoint, naming), undefined);
  assert.equal(withoutSecrets.call(endpoint, new Error("failed", { cause: naming })), undefined);
  const other = new TypeError("no route");
  assert.equal(withoutSecrets.call(endpoint, other), other);
});

test("a cache knows no secret, and serves a private package to nobody whom its server refuses", async () => {
  let isOpen = true;
  const server = await served(() => ({ status: isOpen ? undefined : 403 }));
  const storage = memoryStorage();
  const cache = new PackageCache(new CacheStore(storage));
  const endpoint = new Endpoint({ url: server.url, query: QUERY, headers: HEADERS });
  await read(endpoint, cache);
  assert.deepEqual(
    (await cache.list()).map(({ url }) => url),
    [server.url],
  );
  const keys = await (await storage.open("any")).keys();
  assert.ok(keys.length > 0 && keys.every(({ url }) => !url.includes("c2VjcmV0")));

  const before = server.requests.length;
  await read(new Endpoint({ url: server.url, query: "?sig=another" }), cache); // what is stored is used
  assert.deepEqual(
    server.requests.slice(before).map(({ name }) => name),
    ["metadata.json"],
  );

  isOpen = false;
  for (const refused of [endpoint, new Endpoint({ url: server.url })]) {
    await assert.rejects(read(refused, cache), { status: 403 });
  }
});

test("a package that was loaded in public is not given to private loads that are refused", async () => {
  let isOpen = true;
  const server = await served(() => ({ status: isOpen ? undefined : 403 }));
  const cache = new PackageCache(new CacheStore(memoryStorage()));
  await read(new Endpoint({ url: server.url }), cache);
  isOpen = false;
  await read(new Endpoint({ url: server.url }), cache);
  await assert.rejects(read(new Endpoint({ url: server.url, headers: HEADERS }), cache), { status: 403 });
});
