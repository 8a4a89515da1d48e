// The checker knows every keyword of the embedded schemas, and counts as JSON Schema does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checkSchema, KEYWORDS } from "../../src/package/schema.js";
import { METADATA_SCHEMA, PROGRAM_SCHEMA } from "../../src/package/specification.js";

/** @typedef {import("../../src/package/schema_types.js").Schema} Schema */

/** Returns a schema and all that are within it. @param {Schema} schema @returns {Schema[]} */
function schemasOf(schema) {
  const { items, propertyNames, additionalProperties, properties = {}, $defs = {} } = schema;
  const inner = [
    items,
    propertyNames,
    additionalProperties,
    ...Object.values(properties),
    ...Object.values($defs),
  ];
  return [schema, ...inner.flatMap((value) => (value ? schemasOf(value) : []))];
}

/**
 * Returns the rules that a value breaks.
 *
 * @param {Schema} schema
 * @param {import("../../src/package/json.js").Json} value
 */
function rulesOf(schema, value) {
  return Array.from(
    checkSchema(schema, value, () => true),
    ([rule]) => rule,
  );
}

for (const [name, schema] of Object.entries({ METADATA_SCHEMA, PROGRAM_SCHEMA })) {
  test(`${name} has keywords that are checked, and no others`, () => {
    const schemas = schemasOf(schema);
    assert.ok(schemas.length > 20);
    const unknown = schemas
      .flatMap((inner) => Object.keys(inner))
      .filter((keyword) => !KEYWORDS.has(keyword));
    assert.deepEqual(unknown, []);
  });

  test(`${name} refers to definitions that it has`, () => {
    for (const { $ref } of schemasOf(schema)) {
      if ($ref === undefined) continue;
      assert.ok(Object.hasOwn(schema.$defs ?? {}, $ref.replace("#/$defs/", "")), $ref);
    }
  });

  test(`${name} has unique items that are compared by value`, () => {
    for (const { uniqueItems, items } of schemasOf(schema)) {
      if (!uniqueItems) continue;
      const definition = schema.$defs?.[(items?.$ref ?? "").replace("#/$defs/", "")];
      const { type } = definition ?? items ?? {};
      assert.ok(type === "string" || type === "integer", `${type}`);
    }
  });
}

test("lengths are counted in characters, not in UTF-16 code units", () => {
  assert.deepEqual(rulesOf({ type: "string", maxLength: 2 }, "🦙🦙"), []);
  assert.deepEqual(rulesOf({ type: "string", maxLength: 1 }, "🦙🦙"), ["LLQ-META-5"]);
  assert.deepEqual(rulesOf({ type: "string", minLength: 1 }, ""), ["LLQ-META-5"]);
});

test("members are counted", () => {
  const schema = { type: "object", minProperties: 1, maxProperties: 2 };
  assert.deepEqual(rulesOf(schema, {}), ["LLQ-META-5"]);
  assert.deepEqual(rulesOf(schema, { a: 1, b: 2 }), []);
  assert.deepEqual(rulesOf(schema, { a: 1, b: 2, c: 3 }), ["LLQ-META-5"]);
});

test("the rule in $comment is that of keywords without a rule of their own", () => {
  const schema = { $comment: "LLQ-PROG-4", type: "integer", minimum: 1 };
  assert.deepEqual(rulesOf(schema, 0), ["LLQ-PROG-4"]);
  assert.deepEqual(rulesOf(schema, "0"), ["LLQ-META-3"]);
});

test("a number is an integer where it is written as digits alone", () => {
  const schema = { type: "object", properties: { a: { type: "integer" } } };
  assert.deepEqual(
    Array.from(
      checkSchema(schema, { a: 1 }, () => false),
      ([rule]) => rule,
    ),
    ["LLQ-META-4"],
  );
});
