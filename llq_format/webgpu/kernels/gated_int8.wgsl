// gated_int8: the norm before the FFN, its rounding to INT8, gate, up and the activation function, of one token.
//
//   hidden(r) = act(W_r . q) * (W_(size + r) . q),  q = int8(norm(x, weight))                                      (DEC-12)
//   peaks(x) = greatest |hidden| of workgroup x, for the rounding that follows
//
// Bindings, group 0: packed, scale, zero_point, x, weight (normed_int8), hidden f32[size], peaks f32[size / 16].
// size, the number of gates, is a multiple of 64. flags: 1 symmetric (zero_point 8), 2 gelu (else silu).
// Threads. Workgroup x takes 16 gates and their ups: 16 of its 256 threads share the rows (a gate and its up each), 16 the
// block columns.

struct GatedInt8 {
  size: u32,
  blocks: u32,
  first_block: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(5) var<storage, read_write> gated_int8_hidden: array<f32>;
@group(0) @binding(6) var<storage, read_write> gated_int8_peaks: array<f32>;
@group(1) @binding(0) var<uniform> gated_int8_parameters: GatedInt8;

@compute @workgroup_size(256)
fn gated_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = gated_int8_parameters;
  let s = normed_int8_load(64u * p.blocks, p.eps, lane);
  let symmetric = (p.flags & 1u) != 0u;
  let row = lane & 15u;
  let gate = group.x / 4u * p.blocks;
  let up = gate + p.size / 64u * p.blocks;
  let row_of_block = group.x % 4u * 16u + row;
  var sum_0 = 0.0;
  var sum_1 = 0.0;
  for (var j = lane / 16u; j < p.blocks; j += 16u) {
    let word_0 = 128u * (gate + j) + row_of_block;
    let word_1 = 128u * (up + j) + row_of_block;
    let low_0 = matvec_int8_packed[word_0];
    let high_0 = matvec_int8_packed[word_0 + 64u];
    let low_1 = matvec_int8_packed[word_1];
    let high_1 = matvec_int8_packed[word_1 + 64u];
    let codes = normed_int8_codes_of(j);
    let sum = normed_int8_sum_of(j);
    let block_0 = p.first_block + gate + j;
    let block_1 = p.first_block + up + j;
    let zero_0 = f32(normed_int8_zero_of(block_0, symmetric) * sum);
    let zero_1 = f32(normed_int8_zero_of(block_1, symmetric) * sum);
    sum_0 += matvec_int8_scale_of(block_0) * (matvec_int8_row(low_0, high_0, codes) - zero_0);
    sum_1 += matvec_int8_scale_of(block_1) * (matvec_int8_row(low_1, high_1, codes) - zero_1);
  }
  matvec_int8_partial[32u * (lane / 16u) + row] = sum_0;
  matvec_int8_partial[32u * (lane / 16u) + row + 16u] = sum_1;
  workgroupBarrier();
  var hidden = 0.0;
  if (lane < 16u) {
    var gated = vec4(s * matvec_int8_sixteen(lane, 32u));
    if ((p.flags & 2u) != 0u) {
      gated = activate_gelu(gated);
    } else {
      gated = activate_silu(gated);
    }
    hidden = gated.x * (s * matvec_int8_sixteen(lane + 16u, 32u));
    gated_int8_hidden[16u * group.x + lane] = hidden;
  }
  let peak = group_max(abs(hidden), lane);
  if (lane == 0u) {
    gated_int8_peaks[group.x] = peak;
  }
}
