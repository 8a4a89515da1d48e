// measure: what the fused kernels need of a residual stream that none of them wrote: (sum of x^2, max |w x|) of 256 rows each.
//
// Bindings, group 0: x f32[hidden], weight f32[hidden], stats f32[grid, 2]. Threads: grid.x = ceil(hidden / 256).

struct MeasureParameters {
  cols: u32,
}

@group(0) @binding(0) var<storage, read> measure_x: array<f32>;
@group(0) @binding(1) var<storage, read> measure_weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> measure_stats: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> measure_parameters: MeasureParameters;

@compute @workgroup_size(256)
fn measure(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = 256u * group.x + lane;
  var x = 0.0;
  var weight = 0.0;
  if (c < measure_parameters.cols) {
    x = measure_x[c];
    weight = measure_weight[c];
  }
  let sum = group_sum(x * x, lane);
  let peak = group_max(abs(x * weight), lane);
  if (lane == 0u) {
    measure_stats[group.x] = vec2(sum, peak);
  }
}
