// cache.list() and cache.clear(): every address of a package denotes it.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { InputError, WebGPULlama4 } from "../../index.js";
import { CacheStore } from "../../src/net/cache_store.js";
import { memoryStorage } from "../support/memory_storage.mjs";

const PAGE = "http://page.invalid/app/index.html";
const PACKAGE = "http://page.invalid/app/model/";
const OTHER = "http://page.invalid/app/other/";

beforeEach(async () => {
  const storage = memoryStorage();
  Object.defineProperty(globalThis, "caches", { value: storage, configurable: true });
  Object.defineProperty(globalThis, "location", { value: new URL(PAGE), configurable: true });
  const store = new CacheStore(storage);
  for (const url of [PACKAGE, OTHER]) await store.write(url, "metadata", new Uint8Array(10));
});

afterEach(() => {
  Reflect.deleteProperty(globalThis, "caches");
  Reflect.deleteProperty(globalThis, "location");
});

const ADDRESSES = [
  PACKAGE,
  "model/",
  "model",
  "./model/metadata.json",
  "model/llama.wgsl?v=1#top",
  "/app/model",
  new URL(PACKAGE),
  new URL("metadata.json?x", PACKAGE),
];
for (const address of ADDRESSES) {
  test(`clear(${address instanceof URL ? "URL " : ""}${address}) deletes the package and no other`, async () => {
    assert.equal((await WebGPULlama4.cache.list()).length, 2);
    await WebGPULlama4.cache.clear(address);
    assert.deepEqual(await WebGPULlama4.cache.list(), [{ url: OTHER, bytes: 10 }]);
  });
}

test("clear() deletes all", async () => {
  await WebGPULlama4.cache.clear();
  assert.deepEqual(await WebGPULlama4.cache.list(), []);
});

test("clear() of what is not an address is refused, and deletes nothing", async () => {
  await assert.rejects(WebGPULlama4.cache.clear("http://"), InputError);
  assert.equal((await WebGPULlama4.cache.list()).length, 2);
});

test("where a look at caches is forbidden, there is nothing stored", async () => {
  Object.defineProperty(globalThis, "caches", {
    get() {
      throw new DOMException("sandboxed", "SecurityError");
    },
    configurable: true,
  });
  assert.deepEqual(await WebGPULlama4.cache.list(), []);
  await WebGPULlama4.cache.clear();
});
