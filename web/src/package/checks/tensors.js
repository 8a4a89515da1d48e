/** Stage `tensors`: the list of tensors against the model and itself. */

import { ATTENTION_AFFINE } from "../extensions.js";
import { isInt4, rowsCols } from "../layout.js";
import { tensorRoles } from "../model_tensors.js";

/** @typedef {import("../metadata_types.js").Metadata} Metadata */
/** @typedef {import("../model_tensors.js").TensorRole} TensorRole */
/** @typedef {import("../findings.js").Findings} Findings */

/** @param {Metadata} metadata @returns {Findings} */
export function* checkTensors({ model, tensors, extensions }) {
  const lowerNames = new Set();
  for (const { name } of tensors) {
    const lower = name.toLowerCase();
    if (lowerNames.has(lower)) {
      yield ["LLQ-TENSOR-2", `two tensors are called ${name} if case is ignored`];
    }
    lowerNames.add(lower);
  }
  /** @type {TensorRole[]} */
  const roles = [];
  if (model !== undefined) {
    const names = new Set(tensors.map(({ name }) => name));
    for (const role of tensorRoles(model, extensions?.[ATTENTION_AFFINE]?.layers ?? [])) {
      if (!names.has(role.name)) {
        yield ["LLQ-TENSOR-3", `tensor ${role.name} is missing: the model requires it`];
        return; // a few bytes may require billions of tensors
      }
      roles.push(role);
    }
    const required = new Set(roles.map(({ name }) => name));
    for (const { name } of tensors) {
      if (!required.has(name)) {
        yield ["LLQ-TENSOR-3", `tensor ${name} is unexpected: the model does not have it`];
        return;
      }
    }
  }
  for (const tensor of tensors) {
    const [rows, cols] = rowsCols(tensor);
    if (isInt4(tensor.dtype) && tensor.shape.length !== 2) {
      yield ["LLQ-TENSOR-6", `${tensor.name} has one dimension, expected two`];
    }
    if (rows * cols > Number.MAX_SAFE_INTEGER) {
      yield [
        "LLQ-TENSOR-7",
        `${tensor.name} has ${rows * cols} elements, expected at most ${Number.MAX_SAFE_INTEGER}`,
      ];
    }
  }
  const byName = new Map(roles.map((role) => [role.name, role]));
  for (const { name, shape, dtype } of tensors) {
    const role = byName.get(name);
    if (role === undefined) continue;
    if (shape.join() !== role.shape.join()) {
      yield ["LLQ-TENSOR-4", `${name} has shape [${shape}], expected [${role.shape}]`];
    }
    if (!role.dtypes.includes(dtype)) {
      yield ["LLQ-TENSOR-5", `${name} is ${dtype}, expected ${role.dtypes.join(" or ")}`];
    }
  }
  // names are ASCII, so that code units are bytes
  const order = model === undefined ? tensors.map(({ name }) => name).sort() : roles.map(({ name }) => name);
  for (const [i, { name }] of tensors.entries()) {
    if (name !== order[i]) {
      yield ["LLQ-CANON-3", `tensor ${i} is ${name}, expected ${order[i]}`];
      return;
    }
  }
}
