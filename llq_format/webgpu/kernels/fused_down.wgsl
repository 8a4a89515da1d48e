// fused_down: INT8 rounding of what the FFN's activation gave, the down product and the residual sum of one token.
//
//   x(r) += W_r . int8(hidden)                                                                                     (DEC-2)
//
// Bindings, group 0: packed, scale, zero_point (fused_product); hidden f32[cols]; peaks f32[peaks]; weight f32[hidden] of the
//   norm that follows, x f32[hidden], stats f32[grid, 2] (fused_residual). flags: 1 symmetric.
// Threads: grid.x = ceil(rows / 32): a workgroup takes 32 rows, an invocation two of them.

struct FusedDown {
  rows: u32,
  cols: u32,
  peaks: u32,
  flags: u32,
}

@group(0) @binding(3) var<storage, read> fused_down_hidden: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> fused_down_peaks: array<f32>;
@group(1) @binding(0) var<uniform> fused_down_parameters: FusedDown;

@compute @workgroup_size(256)
fn fused_down(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = fused_down_parameters;
  let blocks = p.cols / 64u;
  let symmetric = (p.flags & 1u) != 0u;
  let block_row = group.x >> 1u;
  let rows = vec2(128u * blocks * block_row + 32u * (group.x & 1u) + (lane & 15u)) + vec2(0u, 16u);
  let first = fused_load_two(rows, block_row, lane >> 4u, blocks, symmetric);
  let second = fused_load_two(rows, block_row, (lane >> 4u) + 32u, blocks, symmetric);
  fused_clear(lane);
  var part = 0.0;
  for (var i = lane; i < p.peaks; i += 256u) {
    part = max(part, fused_down_peaks[i]);
  }
  let peak = fused_reduce(vec2(0.0, part), lane).y;
  let inverse = fused_inverse(peak);
  for (var segment = lane; segment < p.cols / 16u; segment += 256u) {
    let at = 4u * segment;
    fused_put(
      segment,
      fused_down_hidden[at] * inverse,
      fused_down_hidden[at + 1u] * inverse,
      fused_down_hidden[at + 2u] * inverse,
      fused_down_hidden[at + 3u] * inverse,
    );
  }
  workgroupBarrier();
  let total = fused_total_two(fused_two(rows, block_row, blocks, symmetric, lane, first, second), lane);
  fused_residual_add(total * select(0.0, peak * (1.0 / 127.0), inverse > 0.0), group.x, p.rows, lane);
}
