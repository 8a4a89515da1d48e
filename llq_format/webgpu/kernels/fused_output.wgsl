// fused_output: the splits of attention joined, INT8 rounding, the output product and the residual sum of one token.
//
//   a(h, d) = sum over splits of o(d) e^(m - M) / sum over splits of l e^(m - M);  x(r) += W_r . int8(a)   (DEC-11, DEC-2)
//
// Bindings, group 0: packed, scale, zero_point (fused_product); partials f32[heads, splits, head_dim + 2]; state u32[64];
//   weight f32[hidden] of the norm that follows, x f32[hidden], stats f32[grid, 2] (fused_residual).
// head_dim is a multiple of 16, heads * head_dim one of 64. flags: 1 symmetric.
// Threads: grid.x = ceil(rows / 32): a workgroup takes 32 rows, an invocation two of them.

struct FusedOutput {
  rows: u32,
  heads: u32,
  head_dim: u32,
  splits: u32,
  chunk_size: u32,
  flags: u32,
}

@group(0) @binding(3) var<storage, read> fused_output_partials: array<f32>;
@group(0) @binding(4) var<storage, read> fused_output_state: array<u32>;
@group(1) @binding(0) var<uniform> fused_output_parameters: FusedOutput;

// The factor of each split's o for a head, one split at a time: e^(m - M) / L.
fn fused_output_greatest(first: u32, stride: u32, used: u32) -> vec2<f32> {
  var greatest = -3.4e38;
  for (var s = 0u; s < used; s++) {
    greatest = max(greatest, fused_output_partials[first + s * stride]);
  }
  var sum = 0.0;
  for (var s = 0u; s < used; s++) {
    let m = fused_output_partials[first + s * stride];
    sum += fused_output_partials[first + s * stride + 1u] * exp(max(m - greatest, -87.0));
  }
  return vec2(greatest, sum);
}

@compute @workgroup_size(256)
fn fused_output(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = fused_output_parameters;
  let cols = p.heads * p.head_dim;
  let blocks = cols / 64u;
  let symmetric = (p.flags & 1u) != 0u;
  let block_row = group.x >> 1u;
  let rows = vec2(128u * blocks * block_row + 32u * (group.x & 1u) + (lane & 15u)) + vec2(0u, 16u);
  let first = fused_load_two(rows, block_row, lane >> 4u, blocks, symmetric);
  let second = fused_load_two(rows, block_row, (lane >> 4u) + 32u, blocks, symmetric);
  let used = fused_splits(fused_output_state[0], p.chunk_size, p.splits);
  let stride = p.head_dim + 2u;
  fused_clear(lane);
  var peak = 0.0;
  var inverse = 0.0;
  // First the greatest, then the codes; a vector of 4096 columns is one segment an invocation.
  for (var turn = 0u; turn < 2u; turn++) {
    for (var segment = lane; segment < cols / 16u; segment += 256u) {
      let head = 16u * segment / p.head_dim;
      let from_head = head * p.splits * stride;
      let joined = fused_output_greatest(from_head + p.head_dim, stride, used);
      var v0 = vec4(0.0);
      var v1 = vec4(0.0);
      var v2 = vec4(0.0);
      var v3 = vec4(0.0);
      for (var s = 0u; s < used; s++) {
        let from_split = from_head + s * stride;
        let factor = exp(max(fused_output_partials[from_split + p.head_dim] - joined.x, -87.0)) / joined.y;
        let at = from_split + 16u * segment - head * p.head_dim;
        v0 += factor * vec4(fused_output_partials[at], fused_output_partials[at + 1u], fused_output_partials[at + 2u], fused_output_partials[at + 3u]);
        v1 += factor * vec4(fused_output_partials[at + 4u], fused_output_partials[at + 5u], fused_output_partials[at + 6u], fused_output_partials[at + 7u]);
        v2 += factor * vec4(fused_output_partials[at + 8u], fused_output_partials[at + 9u], fused_output_partials[at + 10u], fused_output_partials[at + 11u]);
        v3 += factor * vec4(fused_output_partials[at + 12u], fused_output_partials[at + 13u], fused_output_partials[at + 14u], fused_output_partials[at + 15u]);
      }
      if (turn == 0u) {
        let m = max(max(abs(v0), abs(v1)), max(abs(v2), abs(v3)));
        peak = max(peak, max(max(m.x, m.y), max(m.z, m.w)));
      } else {
        fused_put(segment, v0 * inverse, v1 * inverse, v2 * inverse, v3 * inverse);
      }
    }
    if (turn == 0u) {
      peak = fused_reduce(vec2(0.0, peak), lane).y;
      inverse = fused_inverse(peak);
    }
  }
  workgroupBarrier();
  let total = fused_total_two(fused_two(rows, block_row, blocks, symmetric, lane, first, second), lane);
  fused_residual_add(total * select(0.0, peak * (1.0 / 127.0), inverse > 0.0), group.x, p.rows, lane);
}
