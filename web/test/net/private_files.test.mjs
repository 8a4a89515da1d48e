// Files of the private file system, which a stand-in holds here: where their bytes go, and when they come too late.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readFiles } from "../../src/net/private_files.js";

/** Makes a file system with one file of each content. @param {Record<string, number[]>} contents */
function installed(contents) {
  /** @param {string} name */
  const file = (name) => {
    const bytes = contents[name];
    if (bytes === undefined) throw new DOMException(name, "NotFoundError");
    const access = {
      getSize: () => bytes.length,
      read: (/** @type {Uint8Array} */ target) => {
        target.set(bytes);
        return bytes.length;
      },
      close() {},
    };
    return { createSyncAccessHandle: async () => access };
  };
  const directory = {
    getDirectoryHandle: async () => directory,
    getFileHandle: async (/** @type {string} */ name) => file(name),
  };
  const storage = { getDirectory: async () => directory };
  Object.defineProperty(globalThis, "navigator", { value: { storage }, configurable: true });
}

const FILES = ["a", "missing", "b"].map((name) => ({ name, length: 2 }));

test("files are read into the target, in order; the bytes of missing ones stay", async () => {
  installed({ a: [1, 2], b: [3, 4] });
  const target = new Uint8Array(new ArrayBuffer(8), 0, 6).fill(9);
  const { present, bytes } = await readFiles({ directory: "1", files: FILES, target });
  assert.equal(bytes, target);
  assert.deepEqual([...target], [1, 2, 9, 9, 3, 4]);
  assert.deepEqual(present, [true, false, true]);
});

test("without a target the bytes of missing files are zeros", async () => {
  installed({ a: [1, 2], b: [3, 4, 5] });
  const { present, bytes } = await readFiles({ directory: "2", files: FILES });
  assert.deepEqual([...bytes], [1, 2, 0, 0, 0, 0]);
  assert.deepEqual(present, [true, false, false]);
});

test("an answer that comes too late does not touch the target", async () => {
  installed({ a: [1, 2], b: [3, 4] });
  const target = new Uint8Array(6).fill(9);
  const stop = new AbortController();
  const reading = readFiles({ directory: "3", files: FILES, target }, stop);
  stop.abort();
  await assert.rejects(reading, { name: "AbortError" });
  assert.deepEqual([...target], [9, 9, 9, 9, 9, 9]);
});
