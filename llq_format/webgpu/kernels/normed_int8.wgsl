// normed_int8: the normed residual of one token, rounded to INT8 by each workgroup for itself; for qkv_int8 and gated_int8.
//
//   code(c) = round(127 x(c) w(c) / max |x w|);  s = max |x w| / 127 / sqrt(mean(x^2) + eps)                 (ACT-2, DEC-3)
//
// The codes of a vector are those of its multiples, so only s needs the root. That every workgroup rounds the whole vector costs
// less than a dispatch of its own. Columns: a multiple of 64, at most 8192. Layout of matrices and codes: as in matvec_int8.
// Bindings, group 0: packed, scale, zero_point of matvec_int8; 3: x f32[cols], 4: weight f32[cols].

@group(0) @binding(3) var<storage, read> normed_int8_x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> normed_int8_weight: array<vec4<f32>>;

var<workgroup> normed_int8_codes: array<vec4<u32>, 512>;  // 16 columns each: word k, byte j is column 4 j + k of the 16
var<workgroup> normed_int8_sums: array<i32, 512>;

// Rounds the vector and returns s. Needs uniform control flow; ends with a barrier.
fn normed_int8_load(cols: u32, eps: f32, lane: u32) -> f32 {
  var squares = vec4(0.0);
  var most = vec4(0.0);
  for (var segment = lane; segment < cols / 16u; segment += 256u) {
    let at = 4u * segment;
    let x0 = normed_int8_x[at];
    let x1 = normed_int8_x[at + 1u];
    let x2 = normed_int8_x[at + 2u];
    let x3 = normed_int8_x[at + 3u];
    let w0 = normed_int8_weight[at];
    let w1 = normed_int8_weight[at + 1u];
    let w2 = normed_int8_weight[at + 2u];
    let w3 = normed_int8_weight[at + 3u];
    squares += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3);
    most = max(most, max(max(abs(x0 * w0), abs(x1 * w1)), max(abs(x2 * w2), abs(x3 * w3))));
  }
  let total = group_sum(squares.x + squares.y + squares.z + squares.w, lane);
  let peak = group_max(max(max(most.x, most.y), max(most.z, most.w)), lane);
  let factor = inverse_root(total / f32(cols) + eps);
  let largest = peak * factor;
  let inverse = select(0.0, 127.0 / max(peak, 0x1p-120), vector_int8_inverse(largest) > 0.0);
  for (var segment = lane; segment < cols / 16u; segment += 256u) {
    let at = 4u * segment;
    let c0 = vector_int8_codes(normed_int8_x[at] * normed_int8_weight[at], inverse);
    let c1 = vector_int8_codes(normed_int8_x[at + 1u] * normed_int8_weight[at + 1u], inverse);
    let c2 = vector_int8_codes(normed_int8_x[at + 2u] * normed_int8_weight[at + 2u], inverse);
    let c3 = vector_int8_codes(normed_int8_x[at + 3u] * normed_int8_weight[at + 3u], inverse);
    let byte = vec4(255u);
    normed_int8_codes[segment] = (bitcast<vec4<u32>>(c0) & byte) | ((bitcast<vec4<u32>>(c1) & byte) << vec4(8u))
        | ((bitcast<vec4<u32>>(c2) & byte) << vec4(16u)) | (bitcast<vec4<u32>>(c3) << vec4(24u));
    let sum = (c0 + c1) + (c2 + c3);
    normed_int8_sums[segment] = sum.x + sum.y + sum.z + sum.w;
  }
  workgroupBarrier();
  return vector_int8_scale(largest);
}

fn normed_int8_zero_of(block: u32, symmetric: bool) -> i32 {
  if (symmetric) {
    return 8;
  }
  return extractBits(bitcast<i32>(matvec_int8_zero_point[block >> 2u]), 8u * (block & 3u), 8u);
}

// The codes of block column j, with what the products of rows lack apart from the zero point (MatvecInt8Codes).
fn normed_int8_codes_of(j: u32) -> MatvecInt8Codes {
  let a = normed_int8_codes[4u * j];
  let b = normed_int8_codes[4u * j + 1u];
  let c = normed_int8_codes[4u * j + 2u];
  let d = normed_int8_codes[4u * j + 3u];
  let ones = 0x01010101u;
  let upper = ((dot4(ones, a.z) + dot4(ones, a.w)) + (dot4(ones, b.z) + dot4(ones, b.w)))
      + ((dot4(ones, c.z) + dot4(ones, c.w)) + (dot4(ones, d.z) + dot4(ones, d.w)));
  return MatvecInt8Codes(a, b, c, d, 8 * upper);
}

fn normed_int8_sum_of(j: u32) -> i32 {
  return (normed_int8_sums[4u * j] + normed_int8_sums[4u * j + 1u])
      + (normed_int8_sums[4u * j + 2u] + normed_int8_sums[4u * j + 3u]);
}
