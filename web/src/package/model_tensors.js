/** The tensors that a model requires (spec: Metadata, Tensors of a model). */

/** @typedef {import("./metadata_types.js").ModelEntry} ModelEntry */
/** @typedef {import("./metadata_types.js").Dtype} Dtype */
/** @typedef {{name: string, shape: number[], dtypes: Dtype[]}} TensorRole */
/** @typedef {import("./metadata_types.js").AffineLayerEntry} AffineLayerEntry */

/** @type {Dtype[]} */
const MATRIX = ["int4_affine", "int4_symmetric"];
/** @type {Dtype[]} */
const RAW = ["f16", "f32"];

/**
 * Yields the tensors of a model in canonical order.
 *
 * @param {ModelEntry} model
 * @param {AffineLayerEntry[]} affine the choices of `LLQ_attention_affine` for each layer; none without it
 * @returns {Generator<TensorRole, void, void>}
 */
export function* tensorRoles(model, affine) {
  const { hidden_size: hidden, head_dim: head } = model;
  const [q, kv] = [model.num_heads * head, model.num_kv_heads * head];
  yield { name: "embedding", shape: [model.vocab_size, hidden], dtypes: RAW };
  for (const [number, { ffn }] of model.layers.entries()) {
    const layer = `layers.${number}`;
    yield { name: `${layer}.attention_norm`, shape: [hidden], dtypes: RAW };
    yield { name: `${layer}.attention.qkv`, shape: [q + 2 * kv, hidden], dtypes: MATRIX };
    if (affine[number]?.qkv_bias) {
      yield { name: `${layer}.attention.qkv_bias`, shape: [q + 2 * kv], dtypes: RAW };
    }
    if (affine[number]?.weighted_qk_norm) {
      yield { name: `${layer}.attention.q_norm`, shape: [head], dtypes: RAW };
      yield { name: `${layer}.attention.k_norm`, shape: [head], dtypes: RAW };
    }
    yield { name: `${layer}.attention.output`, shape: [hidden, q], dtypes: MATRIX };
    yield { name: `${layer}.ffn_norm`, shape: [hidden], dtypes: RAW };
    if (ffn.moe === null) {
      yield* dense(`${layer}.ffn`, ffn.intermediate_size, hidden, ffn.gated);
      continue;
    }
    yield { name: `${layer}.ffn.router`, shape: [ffn.moe.num_experts, hidden], dtypes: RAW };
    for (let expert = 0; expert < ffn.moe.num_experts; expert++) {
      yield* dense(`${layer}.ffn.experts.${expert}`, ffn.intermediate_size, hidden, true);
    }
    yield* dense(`${layer}.ffn.shared`, ffn.moe.shared_intermediate_size, hidden, true);
  }
  yield { name: "norm", shape: [hidden], dtypes: RAW };
  if (!model.tied_embeddings) {
    yield { name: "lm_head", shape: [model.vocab_size, hidden], dtypes: [...MATRIX, ...RAW] };
  }
  if (model.layers.some(({ attention }) => attention.rope)) {
    yield { name: "rope.inv_freq", shape: [head / 2], dtypes: ["f32"] };
  }
}

/**
 * @param {string} prefix
 * @param {number} size
 * @param {number} hidden
 * @param {boolean} gated
 * @returns {Generator<TensorRole, void, void>}
 */
function* dense(prefix, size, hidden, gated) {
  if (gated) yield { name: `${prefix}.gate_up`, shape: [2 * size, hidden], dtypes: MATRIX };
  else yield { name: `${prefix}.up`, shape: [size, hidden], dtypes: MATRIX };
  yield { name: `${prefix}.down`, shape: [hidden, size], dtypes: MATRIX };
}
