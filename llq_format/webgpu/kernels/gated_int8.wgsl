// gated_int8: gate, up and the activation function of one token, an INT4 matrix times a vector rounded to INT8 (DEC-12, ACT-7).
//
//   hidden(r) = act(W_r . q) * (W_(rows + r) . q);  peaks(x) = largest |hidden| of workgroup x, for the rounding that follows
//
// Layout, products and parameters are those of matvec_int8; rows is the number of gates, a multiple of 64.
// Bindings: packed, scale, zero_point, codes, sums, scales (as in matvec_int8), hidden f32[rows], peaks f32[rows / 8].
// flags: 1 symmetric (zero_point 8), 8 gelu (else silu).
// Threads. Workgroup x takes 8 gates and their ups: 8 of its 256 threads share the rows (a gate and its up each) and 32 share the
// block columns.

@group(0) @binding(6) var<storage, read_write> gated_int8_hidden: array<f32>;
@group(0) @binding(7) var<storage, read_write> gated_int8_peaks: array<f32>;

@compute @workgroup_size(256)
fn gated_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = matvec_int8_parameters;
  let row = lane & 7u;
  let gate = group.x / 8u * p.blocks;
  let up = gate + p.rows / 64u * p.blocks;
  let row_of_block = group.x % 8u * 8u + row;
  var sum_0 = 0.0;
  var sum_1 = 0.0;
  for (var j = lane / 8u; j < p.blocks; j += 32u) {
    let word_0 = 128u * (gate + j) + row_of_block;
    let word_1 = 128u * (up + j) + row_of_block;
    let low_0 = matvec_int8_packed[word_0];
    let high_0 = matvec_int8_packed[word_0 + 64u];
    let low_1 = matvec_int8_packed[word_1];
    let high_1 = matvec_int8_packed[word_1 + 64u];
    var codes = matvec_int8_codes_of(j, matvec_int8_zero_of(p.first_block + gate + j));
    sum_0 += matvec_int8_scale_of(p.first_block + gate + j) * matvec_int8_row(low_0, high_0, codes);
    let difference = matvec_int8_zero_of(p.first_block + gate + j) - matvec_int8_zero_of(p.first_block + up + j);
    codes.offset += difference * matvec_int8_sums[j];
    sum_1 += matvec_int8_scale_of(p.first_block + up + j) * matvec_int8_row(low_1, high_1, codes);
  }
  matvec_int8_partial[16u * (lane / 8u) + row] = sum_0;
  matvec_int8_partial[16u * (lane / 8u) + row + 8u] = sum_1;
  workgroupBarrier();
  var total = 0.0;
  if (lane < 16u) {
    total = matvec_int8_scales[0] * (matvec_int8_sixteen(lane, 16u) + matvec_int8_sixteen(lane + 256u, 16u));
  }
  workgroupBarrier();
  if (lane < 16u) {
    matvec_int8_partial[lane] = total;
  }
  workgroupBarrier();
  if (lane < 8u) {
    var value = vec4(total);
    if ((p.flags & 8u) != 0u) {
      value = activate_gelu(value);
    } else {
      value = activate_silu(value);
    }
    let hidden = value.x * matvec_int8_partial[lane + 8u];
    gated_int8_hidden[8u * group.x + lane] = hidden;
    matvec_int8_partial[lane] = abs(hidden);
  }
  workgroupBarrier();
  if (lane == 0u) {
    var peak = 0.0;
    for (var i = 0u; i < 8u; i++) {
      peak = max(peak, matvec_int8_partial[i]);
    }
    gated_int8_peaks[group.x] = peak;
  }
}
