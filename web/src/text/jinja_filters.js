/** Filters of Jinja that @huggingface/jinja lacks, or has for fewer types. */

/** @typedef {{type: string, value: any}} Value of the library */
/** @typedef {(name: string, operand: Value, args?: Value[], named?: Map<string, Value>) => Value} Apply */
/**
 * A filter that is applied to a value.
 *
 * @typedef {object} Call
 * @property {Value} operand
 * @property {Value[]} args
 * @property {Map<string, Value>} named arguments with names
 * @property {Apply} apply a filter
 * @property {Apply} library applies a filter as the library has it
 * @property {(type: "Integer" | "Float" | "String", value: number | string) => Value} literal
 * @property {(items: Value[]) => Value} array
 * @property {(left: Value, right: Value) => Value} add
 * @property {(name: string | undefined) => (value: Value, ...args: Value[]) => boolean} test
 */

/** Filters that the library has for all types that matter. */
const OF_LIBRARY = [
  ...[
    "abs",
    "capitalize",
    "default",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "length",
    "lower",
    "rejectattr",
  ],
  ...["replace", "safe", "selectattr", "string", "title", "tojson", "upper"],
];

/** @type {Record<string, (call: Call) => Value>} */
export const FILTERS = {
  batch: (call) => {
    const [size, fill] = [count(call, 0, "linecount"), filling(call, "fill_with")];
    const [items, rows] = [sequence(call), /** @type {Value[][]} */ ([])];
    for (let start = 0; start < items.length; start += size) rows.push(items.slice(start, start + size));
    const last = rows.at(-1);
    while (fill && last && last.length < size) last.push(fill);
    return call.array(rows.map(call.array));
  },
  center: (call) => {
    const text = Array.from(String(call.operand.value));
    const width = Math.min(count(call, 0, "width", 80), 2 ** 24);
    const padding = Math.max(0, width - text.length);
    const left = (padding >> 1) + (padding & width & 1);
    return call.literal("String", " ".repeat(left) + text.join("") + " ".repeat(padding - left));
  },
  count: (call) => call.library("length", call.operand),
  d: (call) => call.library("default", call.operand, call.args, call.named),
  dictsort: (call) => {
    if (!(call.operand.value instanceof Map)) throw new Error("dictsort requires a mapping");
    const by = argument(call, 1, "by")?.value ?? "key";
    const pairs = call.library("items", call.operand);
    const options = new Map([["attribute", call.literal("String", by === "key" ? "0" : "1")]]);
    for (const [name, index] of /** @type {[string, number][]} */ ([
      ["case_sensitive", 0],
      ["reverse", 2],
    ])) {
      const value = argument(call, index, name);
      if (value) options.set(name, value);
    }
    return call.library("sort", pairs, [], options);
  },
  first: (call) => call.library("first", call.array(sequence(call))),
  last: (call) => call.library("last", call.array(sequence(call))),
  list: (call) => call.array(sequence(call)),
  map: (call) => {
    if (call.named.has("attribute")) return call.library("map", call.operand, [], call.named);
    const [name, ...args] = call.args;
    if (!name) throw new Error("map requires the name of a filter");
    return call.array(sequence(call).map((item) => call.apply(name.value, item, args, call.named)));
  },
  max: (call) => extreme(call, true),
  min: (call) => extreme(call, false),
  reject: (call) => selected(call, false),
  reverse: (call) => {
    const items = sequence(call).toReversed();
    if (call.operand.type !== "StringValue") return call.array(items);
    return call.literal("String", items.map((item) => item.value).join(""));
  },
  round: (call) => {
    const { type, value } = call.operand;
    const precision = argument(call, 0, "precision")?.value ?? 0;
    const method = argument(call, 1, "method")?.value ?? "common";
    if (typeof value !== "number") throw new Error("round requires a number");
    if (method === "common" && type === "IntegerValue" && precision >= 0) return call.operand;
    if (precision < 0 || precision > 15) throw new Error("the precision of round is not from 0 to 15");
    return call.literal("Float", rounded(value, precision, method));
  },
  select: (call) => selected(call, true),
  slice: (call) => {
    const [slices, fill] = [count(call, 0, "slices"), filling(call, "fill_with")];
    const items = sequence(call);
    if (slices > 100_000) throw new Error("slice makes more than 100000 lists");
    const extra = items.length % slices;
    const rows = [];
    for (let i = 0, start = 0; i < slices; i++) {
      const stop = start + Math.floor(items.length / slices) + (i < extra ? 1 : 0);
      rows.push(call.array([...items.slice(start, stop), ...(fill && i >= extra ? [fill] : [])]));
      start = stop;
    }
    return call.array(rows);
  },
  sort: (call) => call.library("sort", call.array(sequence(call)), call.args, call.named),
  sum: (call) => {
    const attribute = argument(call, 0, "attribute");
    const hasNone = !attribute || attribute.type === "NullValue";
    const items = hasNone
      ? call.operand
      : call.library("map", call.operand, [], new Map([["attribute", attribute]]));
    const start = argument(call, 1, "start") ?? call.literal("Integer", 0);
    return sequence({ ...call, operand: items }).reduce((total, item) => {
      if (!["IntegerValue", "FloatValue"].includes(item.type)) throw new Error("sum requires numbers");
      return call.add(total, item);
    }, start);
  },
  trim: (call) => {
    const characters = argument(call, 0, "chars");
    if (!characters || characters.type === "NullValue") return call.library("trim", call.operand);
    const kept = Array.from(String(call.operand.value));
    while (kept.length > 0 && characters.value.includes(kept[0])) kept.shift();
    while (kept.length > 0 && characters.value.includes(kept.at(-1))) kept.pop();
    return call.literal("String", kept.join(""));
  },
  truncate: (call) => {
    const text = Array.from(String(call.operand.value));
    const [length, leeway] = [count(call, 0, "length", 255), argument(call, 3, "leeway")?.value ?? 5];
    const end = argument(call, 2, "end")?.value ?? "...";
    if (text.length <= length + leeway) return call.operand;
    const cut = text.slice(0, Math.max(0, length - Array.from(end).length)).join("");
    const space = argument(call, 1, "killwords")?.value ? -1 : cut.lastIndexOf(" ");
    return call.literal("String", (space < 0 ? cut : cut.slice(0, space)) + end);
  },
  unique: (call) => call.library("unique", call.array(sequence(call))),
  wordcount: (call) =>
    call.literal("Integer", (String(call.operand.value).match(/[\p{L}\p{N}_]+/gu) ?? []).length),
};

const KNOWN = new Set([...OF_LIBRARY, ...Object.keys(FILTERS)]);

/**
 * Returns the name of a filter of a template that is not implemented, undefined if all are.
 *
 * @param {unknown} node of the syntax tree
 * @returns {string | undefined}
 */
export function unknownFilter(node) {
  if (node === null || typeof node !== "object") return undefined;
  const { type, filter } = /** @type {{type?: string, filter?: any}} */ (node);
  if (type === "FilterExpression" || type === "FilterStatement") {
    const name = filter.type === "CallExpression" ? filter.callee.value : filter.value;
    if (!KNOWN.has(name)) return name;
  }
  for (const child of node instanceof Map ? [...node.keys(), ...node.values()] : Object.values(node)) {
    const name = unknownFilter(child);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** @param {Call} call @param {number} index @param {string} name @returns {Value | undefined} */
function argument({ args, named }, index, name) {
  return args[index] ?? named.get(name);
}

/** @param {Call} call @param {number} index @param {string} name @param {number} [missing] */
function count(call, index, name, missing) {
  const value = argument(call, index, name)?.value ?? missing;
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is not a positive integer`);
  return value;
}

/** Returns the value that completes rows, if one is given. @param {Call} call @param {string} name */
function filling(call, name) {
  const value = argument(call, 1, name);
  return value?.type === "NullValue" ? undefined : value;
}

/** Returns the items over which Python iterates. @param {Call} call @returns {Value[]} */
function sequence({ operand, literal }) {
  if (Array.isArray(operand.value)) return operand.value;
  if (typeof operand.value === "string") return Array.from(operand.value, (text) => literal("String", text));
  if (operand.value instanceof Map) return [...operand.value.keys()].map((key) => literal("String", key));
  throw new Error(`a value of type ${operand.type} has no items`);
}

/** Returns the first of the largest or smallest items. @param {Call} call @param {boolean} largest */
function extreme(call, largest) {
  /** @type {Map<string, Value>} */
  const options = new Map();
  for (const [index, name] of ["case_sensitive", "attribute"].entries()) {
    const value = argument(call, index, name);
    if (value) options.set(name, value);
  }
  const items = sequence(call);
  const sorted = call.library("sort", call.array(largest ? items.toReversed() : items), [], options);
  return call.library(largest ? "last" : "first", sorted); // sorting is stable
}

/** Returns the items that pass a test, or fail it. @param {Call} call @param {boolean} passing */
function selected(call, passing) {
  const [name, ...args] = call.args;
  const test = call.test(name?.value);
  return call.array(sequence(call).filter((item) => test(item, ...args) === passing));
}

/** Rounds as Python does: to the nearest, ties to even. @param {number} value @param {number} precision @param {string} method */
function rounded(value, precision, method) {
  const power = 10 ** precision;
  if (method === "ceil" || method === "floor") return Math[method](value * power) / power;
  if (method !== "common") throw new Error("the method of round is not common, ceil or floor");
  const lower = Math.floor(value * power);
  const isTie =
    value * power - lower === 0.5 && (lower + 0.5) / power === value && Number.isInteger(value * 2 ** 20);
  return isTie ? (lower + (lower % 2 === 0 ? 0 : 1)) / power : Number(value.toFixed(precision));
}
