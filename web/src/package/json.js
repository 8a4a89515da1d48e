/**
 * A strict parser of JSON (spec: Metadata, JSON). It reports which rule a text breaks, and how its numbers
 * are
 * written; JSON.parse reports neither.
 */

/** @typedef {null | boolean | number | string | Json[] | {[name: string]: Json}} Json a value of JSON */
/** @typedef {{[name: string]: Json}} JsonObject */
/** @typedef {"syntax" | "duplicate" | "number" | "surrogate"} Violation in the order of their rules */
/**
 * @callback WrittenAsInteger
 * @param {object} container
 * @param {string | number} key of a number in it
 * @returns {boolean} whether the number is written as digits alone
 */
/** @typedef {{value: Json, violations: Set<Violation>, writtenAsInteger: WrittenAsInteger}} Parsed */

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const LITERALS = /** @type {[string, boolean | null][]} */ ([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/**
 * Parses exactly one value; the value means something only if there is no violation.
 *
 * @param {string} text that nests no deeper than a recursive parser can go
 * @returns {Parsed}
 */
export function parseJson(text) {
  const reader = new Reader(text);
  /** @type {Json} */
  let value = null;
  try {
    value = reader.value(null, "");
    if (reader.at < text.length) reader.violations.add("syntax");
  } catch (error) {
    if (!(error instanceof Syntax)) throw error;
    reader.violations.add("syntax");
  }
  return {
    value,
    violations: reader.violations,
    writtenAsInteger: (container, key) => !reader.fractions.get(container)?.has(key),
  };
}

/** The grammar does not allow what comes next. */
class Syntax extends Error {}

class Reader {
  at = 0;
  /** @type {Set<Violation>} */
  violations = new Set();
  /**
   * @type {WeakMap<object, Set<string | number>>} keys of numbers that are written with fraction or exponent
   */
  fractions = new WeakMap();

  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  /** @param {object | null} container @param {string | number} key @returns {Json} */
  value(container, key) {
    const mark = this.text[this.at];
    if (mark === "{") return this.object();
    if (mark === "[") return this.array();
    if (mark === '"') return this.string();
    for (const [word, value] of LITERALS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number(container, key);
  }

  /** @param {object | null} container @param {string | number} key */
  number(container, key) {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw new Syntax();
    const [digits, fraction, exponent] = match;
    this.at += digits.length;
    const value = Number(digits);
    if (fraction === undefined && exponent === undefined) {
      if (!Number.isSafeInteger(value)) this.violations.add("number");
    } else {
      if (!Number.isFinite(value)) this.violations.add("number");
      if (container !== null) {
        const keys = this.fractions.get(container) ?? new Set();
        this.fractions.set(container, keys.add(key));
      }
    }
    return value;
  }

  string() {
    const { text } = this;
    let end = this.at + 1;
    for (; text[end] !== '"'; end++) {
      if (end >= text.length) throw new Syntax();
      if (text[end] === "\\") end++;
    }
    let value;
    try {
      value = JSON.parse(text.slice(this.at, end + 1));
    } catch {
      throw new Syntax();
    }
    if (!value.isWellFormed()) this.violations.add("surrogate");
    this.at = end + 1;
    return value;
  }

  array() {
    /** @type {Json[]} */
    const items = [];
    this.at++;
    this.space();
    if (this.take("]")) return items;
    do {
      this.space();
      items.push(this.value(items, items.length));
      this.space();
    } while (this.take(","));
    this.must("]");
    return items;
  }

  object() {
    /** @type {JsonObject} */
    const members = {};
    this.at++;
    this.space();
    if (this.take("}")) return members;
    do {
      this.space();
      if (this.text[this.at] !== '"') throw new Syntax();
      const name = this.string();
      this.space();
      this.must(":");
      this.space();
      if (Object.hasOwn(members, name)) this.violations.add("duplicate");
      this.fractions.get(members)?.delete(name);
      const value = this.value(members, name);
      // an own member even if its name is __proto__
      Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
      this.space();
    } while (this.take(","));
    this.must("}");
    return members;
  }

  space() {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  /** @param {string} mark */
  take(mark) {
    if (this.text[this.at] !== mark) return false;
    this.at++;
    return true;
  }

  /** @param {string} mark */
  must(mark) {
    if (!this.take(mark)) throw new Syntax();
  }
}
