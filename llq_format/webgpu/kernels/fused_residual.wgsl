// fused_residual: the residual sum, and what the next norm needs of it; for fused_output and fused_down.

@group(0) @binding(5) var<storage, read> fused_residual_weight: array<f32>;
@group(0) @binding(6) var<storage, read_write> fused_residual_x: array<f32>;
@group(0) @binding(7) var<storage, read_write> fused_residual_stats: array<vec2<f32>>;

// Adds y to x(row), in lanes below 32, and leaves (sum of x^2, max |w x|) of the workgroup's 32 rows in stats(group).
fn fused_residual_add(y: f32, group: u32, rows: u32, lane: u32) {
  let row = 32u * group + lane;
  var x = 0.0;
  var weight = 0.0;
  if (lane < 32u && row < rows) {
    x = fused_residual_x[row] + y;
    fused_residual_x[row] = x;
    weight = fused_residual_weight[row];
  }
  fused_scratch[lane] = x * x;
  fused_scratch[256u + lane] = abs(x * weight);
  workgroupBarrier();
  if (lane == 0u) {
    var stats = vec2(0.0);
    for (var i = 0u; i < 32u; i++) {
      stats = vec2(stats.x + fused_scratch[i], max(stats.y, fused_scratch[256u + i]));
    }
    fused_residual_stats[group] = stats;
  }
}
