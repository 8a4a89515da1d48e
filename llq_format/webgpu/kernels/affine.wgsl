// affine: bias of the qkv product, and the weighted norm of its query and key heads, both in place.
//
//   add_bias:  y(t, first_row + i) += bias(i)
//   head_norm: every query and key head x of y becomes w * x / sqrt(mean(x^2) + eps)
//
// Bindings, group 0:
//   add_bias:  bias binary16 pairs or f32 [rows], y f32[tokens, y_stride]
//   head_norm: q_weight and k_weight, binary16 pairs or f32 [head_dim], y f32[tokens, (heads + 2 kv_heads) * head_dim]
// flags of head_norm: 1 q_weight is binary16, 2 k_weight is binary16
// Threads: add_bias: grid.x = 256 rows, grid.y = token. head_norm: grid.x = head of heads + kv_heads, grid.y = token.

struct BiasParameters {
  rows: u32,
  first_row: u32,
  y_stride: u32,
  f16: u32,
}

struct HeadNormParameters {
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> add_bias_bias: array<u32>;
@group(0) @binding(1) var<storage, read_write> add_bias_y: array<f32>;
@group(1) @binding(0) var<uniform> add_bias_parameters: BiasParameters;

@group(0) @binding(0) var<storage, read> head_norm_q_weight: array<u32>;
@group(0) @binding(1) var<storage, read> head_norm_k_weight: array<u32>;
@group(0) @binding(2) var<storage, read_write> head_norm_y: array<f32>;
@group(1) @binding(0) var<uniform> head_norm_parameters: HeadNormParameters;

@compute @workgroup_size(256)
fn add_bias(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = add_bias_parameters;
  let i = group.x * 256u + lane;
  if (i < p.rows) {
    var bias: f32;
    if (p.f16 != 0u) {
      bias = from_binary16(add_bias_bias[i >> 1u] >> (16u * (i & 1u)));
    } else {
      bias = bitcast<f32>(add_bias_bias[i]);
    }
    add_bias_y[group.y * p.y_stride + p.first_row + i] += bias;
  }
}

// Weight of element e of a query or key head.
fn head_norm_weight(e: u32, is_key: bool) -> f32 {
  let f16 = (head_norm_parameters.flags & select(1u, 2u, is_key)) != 0u;
  let at = select(e, e >> 1u, f16);
  var word: u32;
  if (is_key) {
    word = head_norm_k_weight[at];
  } else {
    word = head_norm_q_weight[at];
  }
  if (f16) {
    return from_binary16(word >> (16u * (e & 1u)));
  }
  return bitcast<f32>(word);
}

@compute @workgroup_size(256)
fn head_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = head_norm_parameters;
  let first = (group.y * (p.heads + 2u * p.kv_heads) + group.x) * p.head_dim;
  var squares = 0.0;
  for (var e = lane; e < p.head_dim; e += 256u) {
    let v = mean_square_power * head_norm_y[first + e];
    squares += v * v;
  }
  let factor = inverse_root_mean_square(group_sum(squares, lane), p.head_dim, p.eps);
  for (var e = lane; e < p.head_dim; e += 256u) {
    head_norm_y[first + e] = head_norm_y[first + e] * factor * head_norm_weight(e, group.x >= p.heads);
  }
}
