/** JSON against a JSON Schema, as chapter Metadata reads it: each keyword has its rule. */

import { canonical } from "./canonical_json.js";

/** @typedef {import("./json.js").WrittenAsInteger} WrittenAsInteger */
/** @typedef {[rule: string, found: string]} Finding a broken rule, and what was found in its place */

/** @type {WeakMap<object, RegExp>} */
const patterns = new WeakMap();

/**
 * Yields what breaks a schema whose references were replaced by what they mean.
 *
 * @param {any} schema
 * @param {any} root a value of JSON
 * @param {WrittenAsInteger} writtenAsInteger
 * @returns {Generator<Finding, void, void>}
 */
export function checkSchema(schema, root, writtenAsInteger) {
  return check(schema, { root }, "root", "");

  /** @param {any} schema @param {any} container @param {string | number} key @param {string} place @returns {Generator<Finding, void, void>} */
  function* check(schema, container, key, place) {
    const value = container[key];
    const types = [schema.type ?? []].flat();
    const integer = container === undefined || key === "root" ? true : writtenAsInteger(container, key);
    if (types.length > 0 && !types.some((type) => isOf(type, value) && (type !== "integer" || integer))) {
      const number = types.includes("integer") && typeof value === "number";
      yield [
        number ? "LLQ-META-4" : "LLQ-META-3",
        `${place || "the root"} is ${show(value)}, and not ${types.join(" or ")}`,
      ];
      return;
    }
    const reason = complaint(schema, value);
    if (reason !== null) yield [schema.$comment ?? "LLQ-META-5", `${place} is ${show(value)}: ${reason}`];
    if (Array.isArray(value)) {
      if (schema.items !== undefined)
        for (const i of value.keys()) yield* check(schema.items, value, i, `${place}/${i}`);
    } else if (typeof value === "object" && value !== null) {
      yield* members(schema, value, place);
    }
  }

  /** @param {any} schema @param {Record<string, any>} value @param {string} place @returns {Generator<Finding, void, void>} */
  function* members(schema, value, place) {
    for (const name of schema.required ?? []) {
      if (!Object.hasOwn(value, name)) yield ["LLQ-META-2", `${place || "the root"} has no member ${name}`];
    }
    for (const name of Object.keys(value)) {
      const inside = `${place}/${name}`;
      if (schema.propertyNames !== undefined) {
        const reason = complaint(schema.propertyNames, name);
        if (reason !== null) yield ["LLQ-META-5", `the name of member ${show(name)}: ${reason}`];
      }
      const known = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      if (known) yield* check(schema.properties[name], value, name, inside);
      else if (schema.additionalProperties === false)
        yield ["LLQ-META-1", `${show(inside)} is a member that the schema does not name`];
      else if (schema.additionalProperties !== undefined)
        yield* check(schema.additionalProperties, value, name, inside);
    }
  }
}

/** @param {string} type @param {any} value */
function isOf(type, value) {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return typeof value === "number";
    default:
      return typeof value === type;
  }
}

/** @param {any} schema @param {any} value @returns {string | null} what is against a value of the right type */
function complaint(schema, value) {
  if (schema.const !== undefined && value !== schema.const) return `it has to be ${show(schema.const)}`;
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return `it has to be one of ${schema.enum.join(", ")}`;
  if (typeof value === "number") {
    if (value < schema.minimum || value > schema.maximum)
      return `it has to be ${schema.minimum} to ${schema.maximum}`;
    if (schema.multipleOf !== undefined && value % schema.multipleOf !== 0)
      return `it has to be a multiple of ${schema.multipleOf}`;
  } else if (typeof value === "string") {
    if (schema.maxLength !== undefined && [...value].length > schema.maxLength) return `it is too long`;
    if (schema.pattern !== undefined && !pattern(schema).test(value))
      return `it has to match ${schema.pattern}`;
  } else if (Array.isArray(value)) {
    if (value.length < schema.minItems || value.length > schema.maxItems)
      return `it has ${value.length} items`;
    if (schema.uniqueItems && new Set(value.map(canonical)).size < value.length)
      return "it has an item twice";
  }
  return null;
}

/** @param {any} schema */
function pattern(schema) {
  let found = patterns.get(schema);
  if (found === undefined) patterns.set(schema, (found = new RegExp(schema.pattern, "u")));
  return found;
}

/** @param {any} value */
function show(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)} …` : text;
}
