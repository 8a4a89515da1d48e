import assert from "node:assert/strict";
import { test } from "node:test";
import { LLQError, PackageError, ruleAddress } from "../src/errors.js";
import { SITE } from "../src/site.js";

test("the address of a rule is that of its page on the site", () => {
  assert.equal(
    ruleAddress("LLQ-HASH-1", "https://llq.example/"),
    "https://llq.example/rules/LLQ-HASH-1.html",
  );
  assert.equal(ruleAddress("LLQ-HASH-1", ""), null);
  assert.equal(ruleAddress(null, "https://llq.example/"), null);
});

test("an error has the address of its rule", () => {
  const error = new PackageError("the SHA-256 differs", { rule: "LLQ-HASH-1", code: "hash" });
  assert.equal(error.ruleUrl, ruleAddress("LLQ-HASH-1"));
  assert.equal(new LLQError("no rule").ruleUrl, null);
  assert.match(SITE, /^$|\/$/);
});
