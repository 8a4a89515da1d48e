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
// Threads: one workgroup of 256 a token (grid.x); of binary16 also several (grid.y), which share the blocks of the vector. Three
// passes over the vector. Columns beyond cols, up to the end of the last block, are written as zero.

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

// What every element is multiplied by: the inverse root of the mean square, and the score. Needs uniform control flow.
fn norm_factor(row: u32, lane: u32) -> f32 {
  let p = norm_parameters;
  var factor = 1.0;
  if ((p.flags & 1u) != 0u) {
    var squares = 0.0;
    for (var c = lane; c < p.cols; c += 256u) {
      let v = norm_x[row * p.x_stride + c];
      squares += v * v;
    }
    factor = inverse_root(group_sum(squares, lane) / f32(p.cols) + p.eps);
  }
  if ((p.flags & 4u) != 0u) {
    factor *= norm_score[row];
  }
  return factor;
}

fn norm_value(row: u32, column: u32, factor: f32) -> f32 {
  let p = norm_parameters;
  let c = min(column, p.cols - 1u);
  var w = 1.0;
  if ((p.flags & 1u) != 0u) {
    if ((p.flags & 2u) != 0u) {
      w = from_binary16(norm_weight[c >> 1u] >> (16u * (c & 1u)));
    } else {
      w = bitcast<f32>(norm_weight[c]);
    }
  }
  return select(0.0, norm_x[row * p.x_stride + c] * factor * w, column < p.cols);
}

fn norm_values(row: u32, column: u32, distance: u32, factor: f32) -> vec4<f32> {
  return vec4(
    norm_value(row, column, factor),
    norm_value(row, column + distance, factor),
    norm_value(row, column + 2u * distance, factor),
    norm_value(row, column + 3u * distance, factor),
  );
}

@compute @workgroup_size(256)
fn norm_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = norm_parameters;
  let row = norm_row(group.x);
  let words = 16u * ((p.cols + 63u) / 64u);
  let factor = norm_factor(row, lane);
  var most = vec4(0.0);
  for (var word = lane; word < words; word += 256u) {
    most = max(most, abs(norm_values(row, vector_int8_column(word), 4u, factor)));
  }
  let largest = group_max(max(max(most.x, most.y), max(most.z, most.w)), lane);
  let inverse = vector_int8_inverse(largest);
  for (var first = 0u; first < words; first += 256u) {
    let word = first + lane;
    let codes = vector_int8_codes(norm_values(row, vector_int8_column(word), 4u, factor), inverse);
    let sum = vector_int8_block_sum(codes, lane, first >> 8u);
    if (word < words) {
      norm_codes[group.x * p.blocks_stride * 16u + word] = vector_int8_word(codes);
      if ((lane & 15u) == 0u) {
        norm_sums[group.x * p.blocks_stride + (word >> 4u)] = sum;
      }
    }
  }
  if (lane == 0u) {
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
  let factor = norm_factor(row, lane);
  var turn = 0u;
  for (var first = 256u * group.y; first < quads; first += 256u * groups.y) {
    let quad = first + lane;
    let v = vector_binary16_rounded(norm_values(row, 4u * quad, 1u, factor));
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
