// fused_qkv: the norm before attention, INT8 rounding and the qkv product of one token.
//
//   qkv(r) = W_r . int8(norm(x, attention_norm))
//
// Bindings, group 0: packed, scale, zero_point (fused_product); x f32[hidden], weight f32[hidden], stats f32[stats, 2]
//   (fused_norm); y f32[rows]. flags: 1 symmetric.
// Threads: grid.x = ceil(rows / 64): a workgroup takes a block row, an invocation four of its rows.

struct FusedQkv {
  rows: u32,
  cols: u32,
  stats: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(6) var<storage, read_write> fused_qkv_y: array<f32>;
@group(1) @binding(0) var<uniform> fused_qkv_parameters: FusedQkv;

@compute @workgroup_size(256)
fn fused_qkv(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = fused_qkv_parameters;
  let blocks = p.cols / 64u;
  let symmetric = (p.flags & 1u) != 0u;
  let at = vec4(128u * group.x * blocks + (lane & 15u)) + vec4(0u, 16u, 32u, 48u);
  let i = vec2(group.x);
  let first = fused_load_four(at, i, lane >> 4u, blocks, symmetric);
  let second = fused_load_four(at, i, (lane >> 4u) + 16u, blocks, symmetric);
  let s = fused_norm_load(p.cols, p.stats, p.eps, lane);
  let sum = fused_four(at, i, blocks, symmetric, lane, first, second);
  let total = fused_total_four(sum, lane);
  let row = 64u * group.x + lane;
  if (lane < 64u && row < p.rows) {
    fused_qkv_y[row] = s * total;
  }
}
