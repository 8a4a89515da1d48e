/** Stage `tensors`: the list of tensors against the model and itself. */

import { isInt4, rowsCols } from "../layout.js";
import { tensorRoles } from "../model_tensors.js";

/** @typedef {import("../metadata.js").Metadata} Metadata */
/** @typedef {import("../model_tensors.js").TensorRole} TensorRole */
/** @typedef {Generator<import("../schema.js").Finding, void, void>} Findings */

/** @param {Metadata} metadata @returns {Findings} */
export function* checkTensors({ model, tensors }) {
  const names = new Set();
  for (const { name } of tensors) {
    const lower = name.toLowerCase();
    if (names.has(lower))
      yield ["LLQ-TENSOR-2", `two tensors are called ${name}, but for the case of letters`];
    names.add(lower);
  }
  /** @type {TensorRole[]} */
  const roles = [];
  if (model !== undefined) {
    const held = new Set(tensors.map(({ name }) => name));
    for (const role of tensorRoles(model)) {
      if (!held.has(role.name)) {
        yield ["LLQ-TENSOR-3", `there is no tensor ${role.name}`];
        return; // a few bytes may call for billions
      }
      roles.push(role);
    }
    const wanted = new Set(roles.map(({ name }) => name));
    for (const { name } of tensors) {
      if (!wanted.has(name)) {
        yield ["LLQ-TENSOR-3", `the model does not call for a tensor ${name}`];
        return;
      }
    }
  }
  for (const tensor of tensors) {
    const [rows, cols] = rowsCols(tensor);
    if (isInt4(tensor.dtype) && tensor.shape.length !== 2)
      yield ["LLQ-TENSOR-6", `${tensor.name} has one dimension`];
    if (rows * cols > Number.MAX_SAFE_INTEGER)
      yield ["LLQ-TENSOR-7", `${tensor.name} has ${rows * cols} elements`];
  }
  const byName = new Map(roles.map((role) => [role.name, role]));
  for (const { name, shape, dtype } of tensors) {
    const role = byName.get(name);
    if (role === undefined) continue;
    if (shape.join() !== role.shape.join())
      yield ["LLQ-TENSOR-4", `${name} has shape [${shape}], and not [${role.shape}]`];
    if (!role.dtypes.includes(dtype))
      yield ["LLQ-TENSOR-5", `${name} is ${dtype}, and not ${role.dtypes.join(" or ")}`];
  }
  // names are ASCII, so that code units are bytes
  const order = model === undefined ? tensors.map(({ name }) => name).sort() : roles.map(({ name }) => name);
  for (const [i, { name }] of tensors.entries()) {
    if (name !== order[i]) {
      yield ["LLQ-CANON-3", `tensor ${i} is ${name}, and not ${order[i]}`];
      return;
    }
  }
}
