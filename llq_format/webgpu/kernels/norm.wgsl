// norm: RMSNorm fused with the rounding of its result, the input of a matmul.
//
//   value(c) = x(c) * w(c) / sqrt(mean(x^2) + eps), times score(t) where it is an expert's input
//   norm_int8:     codes, sums, scales of value (vector_int8)
//   norm_binary16: value rounded to binary16, and sums of 64 (vector_binary16)
//
// Bindings, group 0: x f32[tokens, x_stride], weight binary16 pairs or f32 [cols], score f32[tokens], state u32[64], then
//   norm_int8:     codes u32[tokens, blocks_stride, 16], sums i32[tokens, blocks_stride], scales f32[tokens]
//   norm_binary16: rounded f32[tokens, blocks_stride * 64], rounded_sums f32[tokens, blocks_stride]
// flags: 1 normalise (else value = x), 2 weight is binary16, 4 times score, 8 only the last token of the chunk, written to row 0
// Threads: one or several workgroups of 256 per token (grid.x); several (grid.y) share the blocks of the vector, and each measures
// all of it. The largest |value| is that of |x w| times the factor: two passes over the vector. Columns beyond cols, up to the end of the last block, are written as zero.

struct NormParameters {
  cols: u32,
  x_stride: u32,
  blocks_stride: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> norm_x: array<f32>;
@group(0) @binding(1) var<storage, read> norm_weight: array<u32>;
@group(0) @binding(2) var<storage, read> norm_score: array<f32>;
@group(0) @binding(3) var<storage, read> norm_state: array<u32>;
@group(0) @binding(4) var<storage, read_write> norm_codes: array<u32>;
@group(0) @binding(5) var<storage, read_write> norm_sums: array<i32>;
@group(0) @binding(6) var<storage, read_write> norm_scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm_rounded: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> norm_rounded_sums: array<f32>;
@group(1) @binding(0) var<uniform> norm_parameters: NormParameters;

// The row that is read: that of the workgroup's token, or of the chunk's last.
fn norm_row(t: u32) -> u32 {
  return select(t, norm_state[1] - 1u, (norm_parameters.flags & 8u) != 0u);
}

// Weights of columns column, column + distance, ...
fn norm_weights(column: u32, distance: u32) -> vec4<f32> {
  let flags = norm_parameters.flags;
  if ((flags & 1u) == 0u) {
    return vec4(1.0);
  }
  let c = min(vec4(column) + distance * vec4(0u, 1u, 2u, 3u), vec4(norm_parameters.cols - 1u));
  if ((flags & 2u) != 0u) {
    let words = vec4(norm_weight[c.x >> 1u], norm_weight[c.y >> 1u], norm_weight[c.z >> 1u], norm_weight[c.w >> 1u]);
    let bits = words >> (16u * (c & vec4(1u)));
    return vec4(from_binary16(bits.x), from_binary16(bits.y), from_binary16(bits.z), from_binary16(bits.w));
  }
  return bitcast<vec4<f32>>(vec4(norm_weight[c.x], norm_weight[c.y], norm_weight[c.z], norm_weight[c.w]));
}

// Values of columns column, column + distance, ..., zero beyond the row.
fn norm_within(values: vec4<f32>, column: u32, distance: u32) -> vec4<f32> {
  let c = vec4(column) + distance * vec4(0u, 1u, 2u, 3u);
  return select(vec4(0.0), values, c < vec4(norm_parameters.cols));
}

// Columns column, column + distance, ..., of the row.
fn norm_inputs(row: u32, column: u32, distance: u32) -> vec4<f32> {
  let p = norm_parameters;
  let at = min(vec4(column) + distance * vec4(0u, 1u, 2u, 3u), vec4(p.cols - 1u));
  let first = row * p.x_stride;
  return vec4(norm_x[first + at.x], norm_x[first + at.y], norm_x[first + at.z], norm_x[first + at.w]);
}

// (sum of the squares of 2^-10 x, largest |x w|) over the row. Sixteen columns at a time, so that their loads overlap.
fn norm_measures(row: u32, lane: u32) -> vec2<f32> {
  var squares = vec4(0.0);
  var most = vec4(0.0);
  for (var c = lane; c < norm_parameters.cols; c += 4096u) {
    let x0 = norm_inputs(row, c, 256u);
    let x1 = norm_inputs(row, c + 1024u, 256u);
    let x2 = norm_inputs(row, c + 2048u, 256u);
    let x3 = norm_inputs(row, c + 3072u, 256u);
    let w0 = norm_weights(c, 256u);
    let w1 = norm_weights(c + 1024u, 256u);
    let w2 = norm_weights(c + 2048u, 256u);
    let w3 = norm_weights(c + 3072u, 256u);
    let a0 = norm_within(x0, c, 256u);
    let a1 = norm_within(x1, c + 1024u, 256u);
    let a2 = norm_within(x2, c + 2048u, 256u);
    let a3 = norm_within(x3, c + 3072u, 256u);
    let b0 = mean_square_power * a0;
    let b1 = mean_square_power * a1;
    let b2 = mean_square_power * a2;
    let b3 = mean_square_power * a3;
    squares += (b0 * b0 + b1 * b1) + (b2 * b2 + b3 * b3);
    most = max(most, max(max(abs(a0 * w0), abs(a1 * w1)), max(abs(a2 * w2), abs(a3 * w3))));
  }
  let peak = max(max(most.x, most.y), max(most.z, most.w));
  return group_sum_and_max(vec2(squares.x + squares.y + squares.z + squares.w, peak), lane);
}

// Factor of every element: the inverse root of the mean square, and the score.
fn norm_factor(row: u32, squares: f32) -> f32 {
  let p = norm_parameters;
  var factor = 1.0;
  if ((p.flags & 1u) != 0u) {
    factor = inverse_root_mean_square(squares, p.cols, p.eps);
  }
  if ((p.flags & 4u) != 0u) {
    factor *= norm_score[row];
  }
  return factor;
}

// x w in columns column, column + distance, ..., zero beyond the row.
fn norm_products(row: u32, column: u32, distance: u32) -> vec4<f32> {
  return norm_within(norm_inputs(row, column, distance) * norm_weights(column, distance), column, distance);
}

@compute @workgroup_size(256)
fn norm_int8(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = norm_parameters;
  let row = norm_row(group.x);
  let words = 16u * ((p.cols + 63u) / 64u);
  var products = norm_products(row, vector_int8_column(256u * group.y + lane), 4u);  // loaded before they are needed
  let measures = norm_measures(row, lane);
  let factor = norm_factor(row, measures.x);
  let largest = measures.y * abs(factor);
  let inverse = vector_int8_inverse(largest);
  var turn = 0u;
  for (var first = 256u * group.y; first < words; first += 256u * groups.y) {
    let word = first + lane;
    let codes = vector_int8_codes(products * factor, inverse);
    products = norm_products(row, vector_int8_column(word + 256u * groups.y), 4u);
    let sum = vector_int8_block_sum(codes, lane, turn);
    turn++;
    if (word < words) {
      norm_codes[group.x * p.blocks_stride * 16u + word] = vector_int8_word(codes);
      if ((lane & 15u) == 0u) {
        norm_sums[group.x * p.blocks_stride + (word >> 4u)] = sum;
      }
    }
  }
  if (lane == 0u && group.y == 0u) {
    norm_scales[group.x] = vector_int8_scale(largest);
  }
}

@compute @workgroup_size(256)
fn norm_binary16(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = norm_parameters;
  let row = norm_row(group.x);
  let quads = 16u * ((p.cols + 63u) / 64u);
  var products = norm_products(row, 4u * (256u * group.y + lane), 1u);  // loaded before they are needed
  let factor = norm_factor(row, norm_measures(row, lane).x);
  var turn = 0u;
  for (var first = 256u * group.y; first < quads; first += 256u * groups.y) {
    let quad = first + lane;
    let v = vector_binary16_rounded(products * factor);
    products = norm_products(row, 4u * (quad + 256u * groups.y), 1u);
    let sum = vector_binary16_block_sum(v, lane, turn);
    turn++;
    if (quad < quads) {
      norm_rounded[group.x * p.blocks_stride * 16u + quad] = v;
      if ((lane & 15u) == 0u) {
        norm_rounded_sums[group.x * p.blocks_stride + (quad >> 4u)] = sum;
      }
    }
  }
}
