/**
 * A value of JSON against a JSON Schema, as chapter Metadata reads it: each keyword has its rule.
 *
 * The keywords are those that the schemas of `metadata.json` and `program.json` use; a test holds them to
 * that.
 */

/** @typedef {import("./findings.js").Finding} Finding */
/** @typedef {import("./json.js").WrittenAsInteger} WrittenAsInteger */
/** @typedef {import("./json.js").Json} Json */
/** @typedef {import("./json.js").JsonObject} JsonObject */
/** @typedef {import("./schema_types.js").Schema} Schema */

/** Keywords that are checked; others would be ignored. */
export const KEYWORDS = new Set([
  ...["$comment", "$ref", "$defs", "type", "const", "enum", "minimum", "maximum", "multipleOf", "minLength"],
  ...[
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "items",
    "minProperties",
    "maxProperties",
  ],
  ...["required", "properties", "propertyNames", "additionalProperties"],
]);

/** @type {WeakMap<Schema, RegExp>} */
const patterns = new WeakMap();

/**
 * Yields what breaks a schema.
 *
 * @param {Schema} schema
 * @param {Json} root
 * @param {WrittenAsInteger} writtenAsInteger
 * @returns {Generator<Finding, void, void>}
 */
export function checkSchema(schema, root, writtenAsInteger) {
  return new SchemaCheck(schema, writtenAsInteger).value(schema, root, {
    container: null,
    key: "",
    pointer: "",
  });
}

/** @typedef {{container: JsonObject | Json[] | null, key: string | number, pointer: string}} Place */

/** The check of one value against one schema. */
class SchemaCheck {
  /** @param {Schema} schema @param {WrittenAsInteger} writtenAsInteger */
  constructor(schema, writtenAsInteger) {
    this.definitions = schema.$defs ?? {};
    this.writtenAsInteger = writtenAsInteger;
  }

  /** @param {Schema} schema @returns {Schema} the schema that a reference denotes */
  resolved(schema) {
    return schema.$ref === undefined ? schema : this.definitions[schema.$ref.slice("#/$defs/".length)];
  }

  /**
   * @param {Schema} reference
   * @param {Json} value
   * @param {Place} place
   * @returns {Generator<Finding, void, void>}
   */
  *value(reference, value, place) {
    const schema = this.resolved(reference);
    const name = place.pointer || "the root";
    const types = [schema.type ?? []].flat();
    if (types.length > 0 && !types.some((type) => this.isOf(type, value, place))) {
      const fraction = types.includes("integer") && typeof value === "number";
      const rule = fraction ? "LLQ-META-4" : "LLQ-META-3";
      yield [rule, `${name} is ${shown(value)}, expected ${types.join(" or ")}`];
      return;
    }
    const expectation = unmet(schema, value);
    if (expectation !== null) {
      yield [schema.$comment ?? "LLQ-META-5", `${name} is ${shown(value)}, expected ${expectation}`];
    }
    if (Array.isArray(value)) yield* this.items(schema, value, place);
    else if (isObject(value)) yield* this.members(schema, value, place);
  }

  /** @param {string} type @param {Json} value @param {Place} place */
  isOf(type, value, { container, key }) {
    if (type !== "integer") return isOf(type, value);
    return typeof value === "number" && (container === null || this.writtenAsInteger(container, key));
  }

  /**
   * @param {Schema} schema
   * @param {Json[]} items
   * @param {Place} place
   * @returns {Generator<Finding, void, void>}
   */
  *items(schema, items, { pointer }) {
    if (schema.items === undefined) return;
    for (const [index, item] of items.entries()) {
      yield* this.value(schema.items, item, { container: items, key: index, pointer: `${pointer}/${index}` });
    }
  }

  /**
   * @param {Schema} schema
   * @param {JsonObject} object
   * @param {Place} place
   * @returns {Generator<Finding, void, void>}
   */
  *members(schema, object, { pointer }) {
    for (const name of schema.required ?? []) {
      if (!Object.hasOwn(object, name)) {
        yield ["LLQ-META-2", `${pointer || "the root"} has no member ${name}`];
      }
    }
    for (const [name, member] of Object.entries(object)) {
      const place = { container: object, key: name, pointer: `${pointer}/${name}` };
      if (schema.propertyNames !== undefined) {
        const expectation = unmet(this.resolved(schema.propertyNames), name);
        if (expectation !== null) {
          yield ["LLQ-META-5", `a member is called ${shown(name)}, expected ${expectation}`];
        }
      }
      const known = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      const memberSchema = known ? schema.properties?.[name] : schema.additionalProperties;
      if (memberSchema === false) yield ["LLQ-META-1", `${shown(place.pointer)} is an unknown member`];
      else if (memberSchema !== undefined) yield* this.value(memberSchema, member, place);
    }
  }
}

/** @param {Json} value @returns {value is JsonObject} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {string} type other than integer @param {Json} value */
function isOf(type, value) {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    default:
      return typeof value === type;
  }
}

/**
 * @param {Schema} schema
 * @param {Json} value
 * @returns {string | null} what a value of the right type fails to be
 */
function unmet(schema, value) {
  if (schema.const !== undefined && value !== schema.const) return shown(schema.const);
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `one of ${schema.enum.join(", ")}`;
  if (typeof value === "number") return unmetByNumber(schema, value);
  if (typeof value === "string") return unmetByText(schema, value);
  if (Array.isArray(value)) return unmetByArray(schema, value);
  if (isObject(value)) {
    return unmetCount(Object.keys(value).length, schema.minProperties, schema.maxProperties, "members");
  }
  return null;
}

/** @param {Schema} schema @param {number} value */
function unmetByNumber({ minimum = -Infinity, maximum = Infinity, multipleOf }, value) {
  if (value < minimum || value > maximum) return `${minimum} to ${maximum}`;
  if (multipleOf !== undefined && value % multipleOf !== 0) return `a multiple of ${multipleOf}`;
  return null;
}

/** @param {Schema} schema @param {string} value */
function unmetByText(schema, value) {
  const counted = schema.minLength !== undefined || schema.maxLength !== undefined;
  const length = counted
    ? unmetCount([...value].length, schema.minLength, schema.maxLength, "characters")
    : null;
  if (length !== null) return length;
  if (schema.pattern !== undefined && !patternOf(schema, schema.pattern).test(value)) {
    return `text that matches ${schema.pattern}`;
  }
  return null;
}

/** @param {Schema} schema @param {Json[]} value */
function unmetByArray({ minItems, maxItems, uniqueItems }, value) {
  const count = unmetCount(value.length, minItems, maxItems, "items");
  if (count !== null) return count;
  return uniqueItems && new Set(value).size < value.length ? "no item twice" : null;
}

/**
 * @param {number} count
 * @param {number | undefined} minimum
 * @param {number | undefined} maximum
 * @param {string} unit
 */
function unmetCount(count, minimum = 0, maximum = Infinity, unit) {
  if (count >= minimum && count <= maximum) return null;
  return maximum === Infinity ? `at least ${minimum} ${unit}` : `${minimum} to ${maximum} ${unit}`;
}

/** @param {Schema} schema @param {string} source */
function patternOf(schema, source) {
  const pattern = patterns.get(schema) ?? new RegExp(source, "u");
  patterns.set(schema, pattern);
  return pattern;
}

/** @param {Json} value */
function shown(value) {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)} …` : text;
}
