/** Stage `model`: relations between members of the metadata. */

import { ATTENTION_AFFINE } from "../extensions.js";
import { checkSchema } from "../schema.js";
import { ATTENTION_AFFINE_SCHEMA } from "../specification.js";

/** @typedef {import("../metadata_types.js").Metadata} Metadata */
/** @typedef {import("../metadata_types.js").ModelEntry} ModelEntry */
/** @typedef {import("../findings.js").Findings} Findings */

/**
 * @param {Metadata} metadata
 * @param {import("../json.js").WrittenAsInteger} writtenAsInteger
 * @returns {Findings}
 */
export function* checkModel(metadata, writtenAsInteger) {
  yield* extensions(metadata);
  yield* affine(metadata, writtenAsInteger);
  if (metadata.model !== undefined) yield* relations(metadata.model);
  yield* tokenIds(metadata);
  yield* fileNames(metadata);
}

/** @param {Metadata} metadata @returns {Findings} */
function* extensions({
  extensions_used: used = [],
  extensions_required: required = [],
  extensions: data = {},
  tensors,
}) {
  const names = [
    ...required,
    ...Object.keys(data),
    ...tensors.flatMap((tensor) => Object.keys(tensor.extensions ?? {})),
  ];
  const known = new Set(used);
  for (const name of names) {
    if (!known.has(name)) yield ["LLQ-EXT-2", `extensions_used does not list ${name}`];
  }
}

/**
 * The use and the data of `LLQ_attention_affine`; what follows in this stage and in later stages needs both.
 *
 * @param {Metadata} metadata
 * @param {import("../json.js").WrittenAsInteger} writtenAsInteger
 * @returns {Findings}
 */
function* affine(metadata, writtenAsInteger) {
  const { model, tensors, extensions_used: used = [], extensions_required: required = [] } = metadata;
  if (!used.includes(ATTENTION_AFFINE)) return;
  const data = metadata.extensions?.[ATTENTION_AFFINE];
  if (!required.includes(ATTENTION_AFFINE)) {
    yield ["LLQ-AFFINE-1", `extensions_used lists ${ATTENTION_AFFINE}, extensions_required does not`];
  }
  if (tensors.some((tensor) => Object.hasOwn(tensor.extensions ?? {}, ATTENTION_AFFINE))) {
    yield ["LLQ-AFFINE-1", `a tensor has data of ${ATTENTION_AFFINE}: only the root has data`];
  }
  if (model === undefined || data === undefined) {
    yield ["LLQ-AFFINE-1", `${ATTENTION_AFFINE} requires a model, and data in extensions of the root`];
    return;
  }
  const json = /** @type {import("../json.js").Json} */ (/** @type {unknown} */ (data));
  for (const [, message] of checkSchema(ATTENTION_AFFINE_SCHEMA, json, writtenAsInteger)) {
    yield ["LLQ-AFFINE-2", `data of ${ATTENTION_AFFINE}: ${message}`];
    return;
  }
  if (data.layers.length !== model.layers.length) {
    yield [
      "LLQ-AFFINE-3",
      `${ATTENTION_AFFINE} describes ${data.layers.length} layers, expected ${model.layers.length}`,
    ];
  }
  if (!data.layers.some((layer) => layer.qkv_bias || layer.weighted_qk_norm)) {
    yield ["LLQ-AFFINE-4", `${ATTENTION_AFFINE} changes no layer: a model without it requires no extension`];
  }
  for (const [number, { attention }] of model.layers.entries()) {
    if (attention.qk_norm && data.layers[number]?.weighted_qk_norm) {
      yield ["LLQ-AFFINE-5", `layer ${number} has qk_norm and weighted_qk_norm, expected at most one`];
    }
  }
}

/** @param {ModelEntry} model @returns {Findings} */
function* relations({ num_heads: heads, num_kv_heads: kvHeads, layers, activations }) {
  if (heads % kvHeads !== 0) {
    yield ["LLQ-MODEL-1", `num_heads is ${heads}, expected a multiple of ${kvHeads}`];
  }
  for (const [number, { attention, ffn }] of layers.entries()) {
    if (attention.qk_norm && !attention.rope) {
      yield ["LLQ-MODEL-2", `layer ${number} has qk_norm without rope: qk_norm requires rope`];
    }
    if (attention.temperature !== null && attention.rope) {
      yield ["LLQ-MODEL-2", `layer ${number} has a temperature with rope: a temperature requires rope false`];
    }
    if (ffn.moe !== null && !ffn.gated) {
      yield ["LLQ-MODEL-3", `layer ${number} has experts that are not gated: experts require gated true`];
    }
  }
  const { fp16_layers: count } = activations;
  if (count > layers.length) {
    yield ["LLQ-MODEL-4", `fp16_layers is ${count}, expected at most ${layers.length}`];
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* tokenIds({ model, tokenizer }) {
  if (model === undefined || tokenizer === undefined) return;
  for (const id of [...tokenizer.eos_token_ids, tokenizer.bos_token_id ?? 0]) {
    if (id >= model.vocab_size) {
      yield [
        "LLQ-MODEL-5",
        `token id ${id} is outside the vocabulary, expected less than ${model.vocab_size}`,
      ];
    }
  }
}

/** @param {Metadata} metadata @returns {Findings} */
function* fileNames({ stem, shards, module, tokenizer, program, model }) {
  const digits = (/** @type {number} */ n) => String(n).padStart(5, "0");
  const count = digits(shards.length);
  for (const [i, { file }] of shards.entries()) {
    const name = `${stem}-${digits(i + 1)}-of-${count}.llq`;
    if (file !== name) yield ["LLQ-PKG-4", `shard ${i} is called ${file}, expected ${name}`];
  }
  if (module !== undefined && module.file !== `${stem}.wgsl`) {
    yield ["LLQ-PKG-4", `the module is called ${module.file}, expected ${stem}.wgsl`];
  }
  if (tokenizer !== undefined && tokenizer.file !== "tokenizer.json") {
    yield ["LLQ-PKG-5", `the tokenizer is called ${tokenizer.file}, expected tokenizer.json`];
  }
  if (program === undefined) return;
  if (program.file !== "program.json") {
    yield ["LLQ-PKG-5", `the program is called ${program.file}, expected program.json`];
  }
  if (module === undefined) yield ["LLQ-PKG-5", "the package has a program but no module"];
  if (model === undefined) yield ["LLQ-PKG-11", "the package has a program but no model"];
}
