// Addresses as callers write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { absoluteUrl, directoryOf, endpointsOf } from "../../src/api/addresses.js";

const HUB = "https://huggingface.co";
const PACKAGES = {
  "https://x/a": ["https://x/a/", ""],
  "https://x/a/metadata.json?sig=1#top": ["https://x/a/", "?sig=1"],
  "https://x/a/b.wgsl?sig=1": ["https://x/a/", "?sig=1"],
  "https://x/a?": ["https://x/a/", ""],
  "hf:owner/name": [`${HUB}/owner/name/resolve/main/`, ""],
  "hf:owner/name/": [`${HUB}/owner/name/resolve/main/`, ""],
  "hf:owner/name@v1.0/a/b": [`${HUB}/owner/name/resolve/v1.0/a/b/`, ""],
  "hf:owner/name@refs%2Fpr%2F1": [`${HUB}/owner/name/resolve/refs%2Fpr%2F1/`, ""],
  "hf:owner/name/a/metadata.json": [`${HUB}/owner/name/resolve/main/a/`, ""],
  "hf://owner/name@main": [`${HUB}/owner/name/resolve/main/`, ""],
};

for (const [address, [url, query]] of Object.entries(PACKAGES)) {
  test(`${address} is ${url}`, () => {
    assert.deepEqual(directoryOf(address), { url, query });
  });
}

for (const address of ["hf:owner", "hf:owner/name@", "hf:/name", "hf:owner/name?token=1", "hf:a b/c"]) {
  test(`${address} is not an address of the hub`, () => {
    assert.throws(() => directoryOf(address), { code: "input", message: /expected hf:OWNER\/NAME/ });
  });
}

test("messages show neither passwords nor queries", () => {
  for (const address of ["https://me:hidden@x/a", "/models?sig=hidden", "hf:owner?sig=hidden"]) {
    assert.throws(
      () => absoluteUrl(address, "a package"),
      (/** @type {any} */ error) => error.code === "input" && !error.message.includes("hidden"),
    );
  }
});

test("a worker of a blob resolves addresses against its origin", () => {
  const scope = /** @type {any} */ (globalThis);
  scope.location = new URL("blob:https://x.example/0b4c");
  try {
    assert.equal(absoluteUrl("/models/a", "a package").href, "https://x.example/models/a");
    assert.equal(absoluteUrl("models/a", "a package").href, "https://x.example/models/a");
  } finally {
    delete scope.location;
  }
});

test("headers and credentials are for the origin of the first address", () => {
  const directories = ["https://x/a", "https://x/b", "https://y/a?z=1"].map(directoryOf);
  const options = { headers: { Authorization: "t" }, credentials: /** @type {const} */ ("include") };
  const own = { headers: { authorization: "t" }, credentials: "include", query: "" };
  const none = { headers: {}, credentials: "same-origin", query: "?z=1" };
  assert.deepEqual(
    endpointsOf(directories, options).map(({ address }) => address),
    [
      { url: "https://x/a/", ...own },
      { url: "https://x/b/", ...own },
      { url: "https://y/a/", ...none },
    ],
  );
});

const REFUSED = {
  "headers with a line break": { headers: { authorization: "hidden\nx" } },
  "headers that are a text": { headers: "hidden" },
  "headers that are null": { headers: null },
  "headers with range": { headers: { Range: "bytes=0-1" } },
  "credentials that are true": { credentials: true },
  "fetch that is an address": { fetch: "https://x" },
};

for (const [name, options] of Object.entries(REFUSED)) {
  test(`${name} are refused`, () => {
    assert.throws(
      () => endpointsOf([directoryOf("https://x/")], /** @type {any} */ (options)),
      (/** @type {any} */ error) => error.code === "input" && !error.message.includes("hidden"),
    );
  });
}
