// activate: the activation function of an FFN, its product with up, rounded as the input of the down matmul (DEC-12, DEC-13).
//
//   silu(z) = z / (1 + e^-z);  gelu(z) = z / 2 * (1 + erf(z / sqrt(2)));  value(c) = act(gate(c)) * up(c), or act(up(c))
//   erfc(x) = e^(-x^2) * t * P(t), t = 1 / (1 + x / 2), x >= 0; erf so has an absolute error below 2^-21
//
// Bindings, group 0: hidden f32[tokens, hidden_stride]: gate [cols], up [cols], or up alone; then
//   activate_int8:     codes u32[tokens, blocks_stride, 16], sums i32[tokens, blocks_stride], scales f32[tokens]
//   activate_binary16: rounded f32[tokens, blocks_stride * 64], rounded_sums f32[tokens, blocks_stride]
// flags: 1 gated, 2 gelu (else silu)
// Threads: one or several workgroups of 256 per token (grid.x); several (grid.y) share the blocks of the vector; for INT8 each finds
// the largest in all of it. Columns beyond cols, up to the end of the last block, are written as zero.

struct ActivateParameters {
  cols: u32,
  hidden_stride: u32,
  blocks_stride: u32,
  flags: u32,
}

@group(0) @binding(0) var<storage, read> activate_hidden: array<f32>;
@group(0) @binding(1) var<storage, read_write> activate_codes: array<u32>;
@group(0) @binding(2) var<storage, read_write> activate_sums: array<i32>;
@group(0) @binding(3) var<storage, read_write> activate_scales: array<f32>;
@group(0) @binding(1) var<storage, read_write> activate_rounded: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> activate_rounded_sums: array<f32>;
@group(1) @binding(0) var<uniform> activate_parameters: ActivateParameters;

// e^-|z| is a normal number up to |z| = 87, and counts as 0 beyond.
fn activate_silu(z: vec4<f32>) -> vec4<f32> {
  let e = select(vec4(0.0), exp(-min(abs(z), vec4(87.0))), abs(z) <= vec4(87.0));
  return z * select(e, vec4(1.0), z >= vec4(0.0)) / (1.0 + e);
}

fn activate_gelu(given: vec4<f32>) -> vec4<f32> {
  let z = max(given, vec4(-13.0));
  let x = min(abs(z), vec4(13.0)) * 0.70710678;
  let t = 1.0 / (1.0 + 0.5 * x);
  var p = vec4(0.058800966);
  p = p * t - 0.21823467;
  p = p * t + 0.12217190;
  p = p * t + 0.30768713;
  p = p * t + 0.13083997;
  p = p * t + 0.32169980;
  p = p * t + 0.27703491;
  let complement = p * t * exp(-x * x);
  return 0.5 * z * select(complement, 2.0 - complement, z >= vec4(0.0));
}

fn activate_values(t: u32, column: u32, distance: u32) -> vec4<f32> {
  let p = activate_parameters;
  let columns = column + distance * vec4(0u, 1u, 2u, 3u);
  let c = t * p.hidden_stride + min(columns, vec4(p.cols - 1u));
  let z = vec4(activate_hidden[c.x], activate_hidden[c.y], activate_hidden[c.z], activate_hidden[c.w]);
  var v = z;
  if ((p.flags & 2u) != 0u) {
    v = activate_gelu(z);
  } else {
    v = activate_silu(z);
  }
  if ((p.flags & 1u) != 0u) {
    let u = c + p.cols;
    v *= vec4(activate_hidden[u.x], activate_hidden[u.y], activate_hidden[u.z], activate_hidden[u.w]);
  }
  return select(vec4(0.0), v, columns < vec4(p.cols));
}

@compute @workgroup_size(256)
fn activate_int8(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = activate_parameters;
  let t = group.x;
  let words = 16u * ((p.cols + 63u) / 64u);
  var most = vec4(0.0);
  for (var c = lane; c < p.cols; c += 2048u) {
    let a = abs(activate_values(t, c, 256u));
    let b = abs(activate_values(t, c + 1024u, 256u));
    most = max(most, max(a, b));
  }
  let largest = group_max(max(max(most.x, most.y), max(most.z, most.w)), lane);
  let inverse = vector_int8_inverse(largest);
  var turn = 0u;
  for (var first = 256u * group.y; first < words; first += 256u * groups.y) {
    let word = first + lane;
    let codes = vector_int8_codes(activate_values(t, vector_int8_column(word), 4u), inverse);
    let sum = vector_int8_block_sum(codes, lane, turn);
    turn++;
    if (word < words) {
      activate_codes[t * p.blocks_stride * 16u + word] = vector_int8_word(codes);
      if ((lane & 15u) == 0u) {
        activate_sums[t * p.blocks_stride + (word >> 4u)] = sum;
      }
    }
  }
  if (lane == 0u && group.y == 0u) {
    activate_scales[t] = vector_int8_scale(largest);
  }
}

@compute @workgroup_size(256)
fn activate_binary16(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = activate_parameters;
  let t = group.x;
  let quads = 16u * ((p.cols + 63u) / 64u);
  var turn = 0u;
  for (var first = 256u * group.y; first < quads; first += 256u * groups.y) {
    let quad = first + lane;
    let v = vector_binary16_rounded(activate_values(t, 4u * quad, 1u));
    let sum = vector_binary16_block_sum(v, lane, turn);
    turn++;
    if (quad < quads) {
      activate_rounded[t * p.blocks_stride * 16u + quad] = v;
      if ((lane & 15u) == 0u) {
        activate_rounded_sums[t * p.blocks_stride + (quad >> 4u)] = sum;
      }
    }
  }
}
