// fused_norm: the normed residual of one token, rounded to INT8 on load; for fused_qkv and fused_gate_up.
//
// The codes of w x / root are those of w x: round(127 w x / max |w x|); only s needs the root (ACT-2, DEC-3). Whoever wrote x
// left (sum of x^2, max |w x|) of its rows in `stats`.

@group(0) @binding(3) var<storage, read> fused_norm_x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> fused_norm_weight: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> fused_norm_stats: array<vec2<f32>>;

// Fills the codes and returns s.
fn fused_norm_load(cols: u32, count: u32, eps: f32, lane: u32) -> f32 {
  fused_clear(lane);
  var part = vec2(0.0);
  for (var i = lane; i < count; i += 256u) {
    let stats = fused_norm_stats[i];
    part = vec2(part.x + stats.x, max(part.y, stats.y));
  }
  let total = fused_reduce(part, lane);
  let inverse = fused_inverse(total.y);
  for (var segment = lane; segment < cols / 16u; segment += 256u) {
    let at = 4u * segment;
    fused_put(
      segment,
      fused_norm_x[at] * fused_norm_weight[at] * inverse,
      fused_norm_x[at + 1u] * fused_norm_weight[at + 1u] * inverse,
      fused_norm_x[at + 2u] * fused_norm_weight[at + 2u] * inverse,
      fused_norm_x[at + 3u] * fused_norm_weight[at + 3u] * inverse,
    );
  }
  workgroupBarrier();
  return select(0.0, total.y * (1.0 / 127.0), inverse > 0.0) * inverse_root(total.x / f32(cols) + eps);
}
