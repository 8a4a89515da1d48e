import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Sha256, sha256 } from "../../src/package/sha256.js";

/** Compares hashes of any length, in any pieces, with those of Node. */
async function compare() {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000]) {
    const data = Uint8Array.from({ length }, (_, i) => (i * i + length) & 255);
    const expected = createHash("sha256").update(data).digest("hex");
    for (const cut of [0, 1, 63, 64, length >> 1]) {
      const hash = (await Sha256.create()).update(data.subarray(0, cut)).update(data.subarray(cut));
      assert.equal(hash.digest(), expected, `${length} bytes, cut at ${cut}`);
    }
    assert.equal(await sha256(data), expected);
  }
}

test("where WebAssembly is forbidden", async ({ mock }) => {
  const refused = mock.method(WebAssembly, "compile", () => Promise.reject(new Error("forbidden")));
  await compare();
  assert.ok(refused.mock.callCount() > 0);
});

test("any length, in any pieces", compare);
