/** Where @huggingface/jinja differs from Jinja: output before a break, the texts of values, the time, filters. */

import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { FILTERS, unknownFilter } from "./jinja_filters.js";
import { strftime } from "./strftime.js";

/** @typedef {{type: string, [member: string]: any}} Node of the syntax tree; the library's types are not resolved */
/** @typedef {{type: string, value: unknown}} Value */

/** Members of nodes that hold the statements of a block. */
const BLOCKS = ["body", "alternate", "defaultBlock"];
const STATEMENTS = new Set([
  ...["Set", "If", "For", "Macro", "CallStatement", "FilterStatement"],
  ...["Break", "Continue", "Comment", "Program"],
]);
const NOTHING = { type: "Comment", value: "" };

/** Maximum number of items of a range. */
const RANGE_ITEMS = 100_000;
/** Maximum length of a text, in characters. */
const TEXT_CHARACTERS = 2 ** 24;
/** Maximum number of nodes that are evaluated: more would take longer than a template may. */
const STEPS = 1_000_000;

/** A template that exceeds a limit. */
export class TemplateLimit extends Error {}

/**
 * @typedef {new (environment: Environment) => {
 *   evaluate(node: Node | undefined, environment: Environment): Value,
 *   applyFilter(operand: Value, filter: Node, environment: Environment): Value,
 *   evaluateArguments(args: Node[], environment: Environment): [Value[], Map<string, Value>],
 * }} Base
 */
const LibraryInterpreter = /** @type {Base} */ (/** @type {unknown} */ (Interpreter));

/** Evaluates nodes as the library does, except those that `mark` adds. */
class PythonInterpreter extends LibraryInterpreter {
  /** @type {{skips: boolean, ended: boolean}[]} the loops around the present node, the innermost at the end */
  #loops = [];
  #steps = 0;

  /** @override @param {Node | undefined} node @param {Environment} environment @returns {Value} */
  evaluate(node, environment) {
    if (++this.#steps > STEPS) throw new TemplateLimit(`it takes more than ${STEPS} steps`);
    const value = this.#evaluated(node, environment);
    if (typeof value.value === "string" && value.value.length > TEXT_CHARACTERS) {
      throw new TemplateLimit(`it makes a text of more than ${TEXT_CHARACTERS} characters`);
    }
    return value;
  }

  /** @param {Node | undefined} node @param {Environment} environment @returns {Value} */
  #evaluated(node, environment) {
    const loop = this.#loops.at(-1);
    switch (node?.type) {
      case "For":
        this.#loops.push({ skips: false, ended: false });
        try {
          return super.evaluate(node, environment);
        } finally {
          this.#loops.pop();
        }
      case "Iteration":
        if (loop) loop.skips = loop.ended;
        return super.evaluate(NOTHING, environment);
      case "Break":
      case "Continue":
        if (!loop) return super.evaluate(node, environment);
        loop.skips = true;
        loop.ended ||= node.type === "Break";
        return super.evaluate(NOTHING, environment);
      case "Step":
        return loop?.skips ? super.evaluate(NOTHING, environment) : this.evaluate(node.node, environment);
      case "Held":
        return node.value;
      case "Output":
        return this.#text(this.evaluate(node.node, environment), environment);
      default:
        return super.evaluate(node, environment);
    }
  }

  /** @override @param {Value} operand @param {Node} filter @param {Environment} environment @returns {Value} */
  applyFilter(operand, filter, environment) {
    const own = FILTERS[filter.type === "CallExpression" ? filter.callee.value : filter.value];
    if (own === undefined) return super.applyFilter(operand, filter, environment);
    const [args, named] =
      filter.type === "CallExpression" ? this.evaluateArguments(filter.args, environment) : [[], new Map()];
    const evaluate = (/** @type {Node} */ node) => super.evaluate(node, environment);
    return own({
      operand,
      args,
      named,
      apply: (name, value, ...call) => this.applyFilter(value, filterOf(name, ...call), environment),
      library: (name, value, ...call) => super.applyFilter(value, filterOf(name, ...call), environment),
      literal: (type, value) => evaluate({ type: `${type}Literal`, value }),
      array: (items) => evaluate({ type: "ArrayLiteral", value: items.map(held) }),
      add: (left, right) =>
        evaluate({
          type: "BinaryExpression",
          operator: { type: "AdditiveBinaryOperator", value: "+" },
          left: held(left),
          right: held(right),
        }),
      test: (name) => {
        if (name === undefined) return (value) => /** @type {any} */ (value).__bool__().value;
        const found = environment.tests.get(name);
        if (!found) throw new Error(`the test ${name} is unknown`);
        return /** @type {(value: Value, ...args: Value[]) => boolean} */ (/** @type {unknown} */ (found));
      },
    });
  }

  /** @param {Value} value @param {Environment} environment @returns {Value} */
  #text(value, environment) {
    if (value.type !== "NullValue" && value.type !== "BooleanValue") return value;
    const text = value.type === "NullValue" ? "None" : value.value ? "True" : "False";
    return super.evaluate({ type: "StringLiteral", value: text }, environment);
  }
}

/** @param {Value} value @returns {Node} */
function held(value) {
  return { type: "Held", value };
}

/** @param {string} name @param {Value[]} [args] @param {Map<string, Value>} [named] @returns {Node} */
function filterOf(name, args = [], named = new Map()) {
  const filter = { type: "Identifier", value: name };
  if (args.length + named.size === 0) return filter;
  const withNames = Array.from(named, ([key, value]) => ({
    type: "KeywordArgumentExpression",
    key: { value: key },
    value: held(value),
  }));
  return { type: "CallExpression", callee: filter, args: [...args.map(held), ...withNames] };
}

/**
 * Marks the beginning of each iteration, each statement that a loop may skip, and each output.
 *
 * @param {Node} node whose blocks are replaced
 * @param {boolean} inLoop whether a loop is around the node, in the same macro
 */
function mark(node, inLoop) {
  const here = node.type === "For" || (inLoop && node.type !== "Macro");
  for (const name of BLOCKS) {
    if (!Array.isArray(node[name])) continue;
    node[name] = node[name].map((/** @type {Node} */ child) => {
      mark(child, here);
      const shown = STATEMENTS.has(child.type) ? child : { type: "Output", node: child };
      return here ? { type: "Step", node: shown } : shown;
    });
  }
  if (node.type === "For") node.body.unshift({ type: "Iteration" });
}

/**
 * Returns the first filter of a template that is not implemented; undefined if there is none, or if the template does
 * not parse.
 *
 * @param {string} template
 * @returns {string | undefined}
 */
export function missingFilter(template) {
  try {
    return unknownFilter(new Template(template).parsed);
  } catch {
    return undefined;
  }
}

/**
 * Renders a template.
 *
 * @param {string} template
 * @param {Readonly<Record<string, unknown>>} variables
 * @returns {string}
 */
export function render(template, variables) {
  const program = new Template(template).parsed;
  mark(program, false);
  const environment = new Environment();
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  const functions = { range, raise_exception: refuse, strftime_now: now };
  for (const [name, value] of Object.entries({ ...constants, ...functions, ...variables })) {
    environment.set(name, value);
  }
  return String(new PythonInterpreter(environment).evaluate(program, environment).value);
}

/** @param {unknown} message @returns {never} */
function refuse(message) {
  throw new Error(String(message));
}

/** @param {string} format */
function now(format) {
  return strftime(new Date(), format);
}

/** @param {number} start @param {number} [stop] @param {number} [step] */
function range(start, stop, step = 1) {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0) throw new Error("the step of range is 0");
  const length = Math.max(0, Math.ceil((end - first) / step));
  if (length > RANGE_ITEMS) throw new TemplateLimit(`it makes a range of more than ${RANGE_ITEMS} items`);
  return Array.from({ length }, (_, i) => first + i * step);
}
