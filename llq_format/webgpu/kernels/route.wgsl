// route: the router of a mixture: the expert of a position, and its score (DEC-14).
//
//   v = norm(x);  r_e = router_e . v;  choice = the lowest e of the largest r_e;  score = 1 / (1 + exp(-r_choice))
//
// Bindings, group 0: x f32[tokens, x_stride], weight (norm) binary16 pairs or f32 [cols], router binary16 pairs or f32
//   [num_experts, cols], choice u32[tokens], score f32[tokens]
// flags: 2 the norm's weight is binary16, 16 the router is binary16
// Threads: one workgroup of 256 per token (grid.x), expert after expert.

struct RouteParameters {
  cols: u32,
  x_stride: u32,
  num_experts: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> route_x: array<f32>;
@group(0) @binding(1) var<storage, read> route_weight: array<u32>;
@group(0) @binding(2) var<storage, read> route_router: array<u32>;
@group(0) @binding(3) var<storage, read_write> route_choice: array<u32>;
@group(0) @binding(4) var<storage, read_write> route_score: array<f32>;
@group(1) @binding(0) var<uniform> route_parameters: RouteParameters;

fn route_normed(t: u32, c: u32, factor: f32) -> f32 {
  var w = 0.0;
  if ((route_parameters.flags & 2u) != 0u) {
    w = from_binary16(route_weight[c >> 1u] >> (16u * (c & 1u)));
  } else {
    w = bitcast<f32>(route_weight[c]);
  }
  return route_x[t * route_parameters.x_stride + c] * factor * w;
}

fn route_row(i: u32) -> f32 {
  if ((route_parameters.flags & 16u) != 0u) {
    return from_binary16(route_router[i >> 1u] >> (16u * (i & 1u)));
  }
  return bitcast<f32>(route_router[i]);
}

@compute @workgroup_size(256)
fn route(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = route_parameters;
  let t = group.x;
  var squares = 0.0;
  for (var c = lane; c < p.cols; c += 256u) {
    let v = mean_square_power * route_x[t * p.x_stride + c];
    squares += v * v;
  }
  let factor = inverse_root_mean_square(group_sum(squares, lane), p.cols, p.eps);
  var best = 0.0;
  var choice = 0u;
  for (var expert = 0u; expert < p.num_experts; expert++) {
    var sum = 0.0;
    for (var c = lane; c < p.cols; c += 256u) {
      sum += route_normed(t, c, factor) * route_row(expert * p.cols + c);
    }
    let r = group_sum(sum, lane);
    if (expert == 0u || r > best) {
      best = r;
      choice = expert;
    }
  }
  if (lane == 0u) {
    let e = select(0.0, exp(-min(abs(best), 87.0)), abs(best) <= 87.0);  // as in activate_silu
    route_choice[t] = choice;
    route_score[t] = select(e, 1.0, best >= 0.0) / (1.0 + e);
  }
}
