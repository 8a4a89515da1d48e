// qkv_int8: the norm before attention, its rounding to INT8 and the qkv product, of one token.
//
//   y(r) = W_r . int8(norm(x, weight))
//
// Bindings, group 0: packed, scale, zero_point, x, weight (normed_int8), y f32[rows]. flags: 1 symmetric (zero_point 8).
// Threads. Workgroup x takes 32 rows, from 32 x on: 16 of its 256 threads share the rows (2 each), 16 the block columns.

struct QkvInt8 {
  rows: u32,
  blocks: u32,
  first_block: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(5) var<storage, read_write> qkv_int8_y: array<f32>;
@group(1) @binding(0) var<uniform> qkv_int8_parameters: QkvInt8;

@compute @workgroup_size(256)
fn qkv_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = qkv_int8_parameters;
  let s = normed_int8_load(64u * p.blocks, p.eps, lane);
  let symmetric = (p.flags & 1u) != 0u;
  let row = lane & 15u;
  let first = group.x / 2u * p.blocks;
  let row_of_block = group.x % 2u * 32u + row;
  var sum_0 = 0.0;
  var sum_1 = 0.0;
  for (var j = lane / 16u; j < p.blocks; j += 16u) {
    let block = p.first_block + first + j;
    let word = 128u * (first + j) + row_of_block;
    let low_0 = matvec_int8_packed[word];
    let high_0 = matvec_int8_packed[word + 64u];
    let low_1 = matvec_int8_packed[word + 16u];
    let high_1 = matvec_int8_packed[word + 80u];
    var codes = normed_int8_codes_of(j);
    codes.offset -= normed_int8_zero_of(block, symmetric) * normed_int8_sum_of(j);
    let scale = matvec_int8_scale_of(block);
    sum_0 += scale * matvec_int8_row(low_0, high_0, codes);
    sum_1 += scale * matvec_int8_row(low_1, high_1, codes);
  }
  matvec_int8_partial[32u * (lane / 16u) + row] = sum_0;
  matvec_int8_partial[32u * (lane / 16u) + row + 16u] = sum_1;
  workgroupBarrier();
  let out = 32u * group.x + lane;
  if (lane < 32u && out < p.rows) {
    qkv_int8_y[out] = s * matvec_int8_sixteen(lane, 32u);
  }
}
