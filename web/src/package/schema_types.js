/** The type of a JSON Schema, as far as the schemas of packages go. */

/** @typedef {import("./json.js").Json} Json */
/**
 * @typedef {object} Schema
 * @property {string} [$comment] the rule of keywords without a rule of their own
 * @property {string} [$ref] `#/$defs/NAME`
 * @property {Record<string, Schema>} [$defs]
 * @property {string | readonly string[]} [type]
 * @property {Json} [const]
 * @property {readonly Json[]} [enum]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [multipleOf]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {string} [pattern]
 * @property {number} [minItems]
 * @property {number} [maxItems]
 * @property {boolean} [uniqueItems] of items that are neither objects nor arrays
 * @property {Schema} [items]
 * @property {number} [minProperties]
 * @property {number} [maxProperties]
 * @property {readonly string[]} [required]
 * @property {Record<string, Schema>} [properties]
 * @property {Schema} [propertyNames]
 * @property {Schema | false} [additionalProperties]
 */

export {};
