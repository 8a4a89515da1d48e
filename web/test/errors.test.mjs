import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "../src/errors.js";
import { SITE } from "../src/site.js";

const { LLQError, PackageError, ruleAddress } = errors;

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

test("an error of every class is made again from its members, which can be copied", () => {
  const classes = Object.entries(errors).filter(([name]) => /Error$/.test(name));
  assert.ok(classes.length >= 10);
  for (const [name, value] of classes) {
    const Class = /** @type {new (message?: string, details?: object) => errors.LLQError} */ (value);
    const original = new Class("what failed", { rule: "LLQ-HASH-1", status: 503 });
    const again = errors.errorOf(structuredClone(original.members));
    assert.equal(again.constructor, Class, name);
    for (const member of /** @type {const} */ (["name", "message", "code", "rule", "ruleUrl"])) {
      assert.equal(again[member], original[member], `${name}.${member}`);
    }
    if (original instanceof errors.NetworkError) assert.equal(/** @type {any} */ (again).status, 503);
  }
});
