// Mutation operators over the syntax tree of a module: each yields replacements of a part of the source.

/** @typedef {import("acorn").AnyNode} Node */
/** @typedef {{operator: string, start: number, end: number, after: string}} Replacement */
/** @typedef {(node: any, text: (node: any) => string, parent: any) => string[]} Operator */

/** @type {Record<string, string>} */
const BOUNDARIES = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };
/** @type {Record<string, string>} */
const EQUALITIES = { "===": "!==", "!==": "===" };
/** @type {Record<string, string>} */
const ARITHMETIC = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "<<": ">>",
  ">>": "<<",
  "&": "|",
  "|": "&",
};
/** @type {Record<string, string>} */
const METHODS = {
  ...{ min: "max", max: "min", every: "some", some: "every", push: "unshift", startsWith: "endsWith" },
  ...{ endsWith: "startsWith", indexOf: "lastIndexOf", lastIndexOf: "indexOf", shift: "pop", pop: "shift" },
};
const CHOICES = new Set(["IfStatement", "ConditionalExpression"]);

/** Whether an operand is certainly a text, for which only + is defined. @param {any} node */
function isText(node) {
  return node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string");
}

/** Returns a binary expression with another operator. @param {any} node @param {(n: any) => string} text */
function swapped(node, text, /** @type {Record<string, string>} */ table) {
  const other = table[node.operator];
  return other === undefined ? [] : [`${text(node.left)} ${other} ${text(node.right)}`];
}

/** @type {Record<string, Operator>} what an operator puts in the place of a node; nothing where it has no sense */
export const OPERATORS = {
  boundary: (node, text) => (node.type === "BinaryExpression" ? swapped(node, text, BOUNDARIES) : []),
  equality: (node, text) => (node.type === "BinaryExpression" ? swapped(node, text, EQUALITIES) : []),
  arithmetic: (node, text) =>
    node.type === "BinaryExpression" && !isText(node.left) && !isText(node.right)
      ? swapped(node, text, ARITHMETIC)
      : [],
  logic: (node, text) =>
    node.type === "LogicalExpression" && node.operator !== "??"
      ? [`(${text(node.left)} ${node.operator === "&&" ? "||" : "&&"} ${text(node.right)})`]
      : [],
  "default dropped": (node, text) =>
    node.type === "LogicalExpression" && node.operator === "??" ? [`(${text(node.left)})`] : [],
  "condition negated": (node, text, parent) =>
    CHOICES.has(parent?.type) && parent.test === node ? [`!(${text(node)})`] : [],
  "condition constant": (node, _, parent) =>
    CHOICES.has(parent?.type) && parent.test === node ? ["true", "false"] : [],
  number: (node) =>
    node.type === "Literal" && (typeof node.value === "number" || typeof node.value === "bigint")
      ? [node.bigint === undefined ? String(node.value + 1) : `${node.value + 1n}n`]
      : [],
  boolean: (node) =>
    node.type === "Literal" && typeof node.value === "boolean" ? [String(!node.value)] : [],
  code: (node, _, parent) =>
    node.type === "Literal" &&
    typeof node.value === "string" &&
    (parent?.type === "BinaryExpression" || (parent?.type === "Property" && parent.key.name === "code"))
      ? ['"other"']
      : [],
  "statement dropped": (node) =>
    node.type === "ExpressionStatement" && node.directive === undefined ? [";"] : [],
  "error dropped": (node) => (node.type === "ThrowStatement" ? [";"] : []),
  "await dropped": (node, text) => (node.type === "AwaitExpression" ? [text(node.argument)] : []),
  method: (node, text) => {
    const member =
      node.type === "CallExpression" && node.callee.type === "MemberExpression" ? node.callee : null;
    const other = member?.computed ? undefined : METHODS[member?.property.name];
    if (other === undefined) return [];
    return [`${text(member.object)}.${other}(${node.arguments.map(text).join(", ")})`];
  },
};

/**
 * Yields the replacements in a syntax tree, with the name of the function around each.
 *
 * @param {any} root
 * @param {string} source
 * @returns {Generator<Replacement & {within: string}>}
 */
export function* replacements(root, source) {
  const text = (/** @type {any} */ node) => source.slice(node.start, node.end);
  /** @type {{node: any, parent: any, within: string}[]} */
  const stack = [{ node: root, parent: null, within: "" }];
  while (stack.length > 0) {
    const { node, parent, within } = /** @type {{node: any, parent: any, within: string}} */ (stack.pop());
    if (node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration") continue;
    for (const [operator, replace] of Object.entries(OPERATORS)) {
      for (const after of replace(node, text, parent)) {
        yield { operator, start: node.start, end: node.end, after, within };
      }
    }
    const name = node.id?.name ?? node.key?.name ?? within;
    const children = Object.values(node).flatMap((value) => (Array.isArray(value) ? value : [value]));
    for (const child of children.reverse()) {
      if (typeof child?.type === "string") stack.push({ node: child, parent: node, within: name });
    }
  }
}
