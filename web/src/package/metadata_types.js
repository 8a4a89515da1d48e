/** The types of metadata.json (spec: Metadata), limited to the members that a reader uses. */

/** @typedef {{file: string, byte_length: number, sha256: string}} FileEntry */
/**
 * @typedef {object} Part
 * @property {number} shard
 * @property {number} offset
 * @property {number} byte_length
 * @property {number} first_row
 * @property {number} num_rows
 * @property {string} sha256
 */
/** @typedef {"int4_affine" | "int4_symmetric" | "f16" | "f32"} Dtype */
/**
 * @typedef {{name: string, dtype: Dtype, shape: number[], parts: Part[], extensions?: object}} TensorEntry
 */
/**
 * @typedef {FileEntry & {bos_token_id: number | null, eos_token_ids: number[], chat_template: string | null,
 *   special_tokens?: Record<string, string>}}
 *   TokenizerEntry
 */
/**
 * @typedef {object} LayerEntry
 * @property {{rope: boolean, qk_norm: boolean, chunk_size: number | null, temperature: object | null}}
 *   attention
 * @property {{activation: string, gated: boolean, intermediate_size: number, moe: MoeEntry | null}} ffn
 */
/** @typedef {{qkv_bias: boolean, weighted_qk_norm: boolean}} AffineLayerEntry */
/** @typedef {{LLQ_attention_affine?: {layers: AffineLayerEntry[]}}} Extensions limited to known extensions */
/** @typedef {{num_experts: number, shared_intermediate_size: number}} MoeEntry */
/**
 * @typedef {object} ModelEntry
 * @property {number} vocab_size
 * @property {number} hidden_size
 * @property {number} num_heads
 * @property {number} num_kv_heads
 * @property {number} head_dim
 * @property {number} context_length
 * @property {boolean} tied_embeddings
 * @property {{fp16_layers: number}} activations
 * @property {LayerEntry[]} layers
 */
/**
 * @typedef {object} Metadata
 * @property {string} version
 * @property {string} stem
 * @property {string} digest
 * @property {number} shard_limit
 * @property {FileEntry[]} shards
 * @property {TensorEntry[]} tensors
 * @property {ModelEntry} [model]
 * @property {TokenizerEntry} [tokenizer]
 * @property {FileEntry} [module]
 * @property {FileEntry} [program]
 * @property {string[]} [extensions_used]
 * @property {string[]} [extensions_required]
 * @property {Extensions} [extensions]
 */

export {};
