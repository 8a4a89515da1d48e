/** The extensions of the format that this reader implements. */

/** Biases of q, k and v, and weighted norms of query and key heads (spec: Affine attention). */
export const ATTENTION_AFFINE = "LLQ_attention_affine";

export const EXTENSIONS = new Set([ATTENTION_AFFINE]);
