// rounding: conversions between binary32 and binary16 that WGSL leaves open, a refined inverse square root, and that of a mean square.
//
// WGSL states no rounding mode, and its own conversions may flush subnormals: these work on the bits.

// The binary16 nearest to x, ties to even, clamped to +-65504, subnormals included; bits in the low half. x is finite.
fn binary16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = min(bits & 0x7fffffffu, 0x477fe000u);  // 65504
  let normal = ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u) - 0x1c000u;
  // below 2^-14: multiples of 2^-24; the significand moves right by 14 (2^-15) to 25 (rounds to 0)
  let significand = (magnitude & 0x7fffffu) | 0x800000u;
  let shift = clamp(126u - min(magnitude >> 23u, 112u), 14u, 25u);
  let half = (1u << (shift - 1u)) - 1u + ((significand >> shift) & 1u);
  let subnormal = (significand + half) >> shift;
  return ((bits >> 16u) & 0x8000u) | select(subnormal, normal, magnitude >= 0x38800000u);
}

// The binary32 that equals the finite binary16 in the low half of bits, subnormals and the sign of zero included.
fn from_binary16(bits: u32) -> f32 {
  let magnitude = bits & 0x7fffu;
  let normal = (magnitude << 13u) + 0x38000000u;
  let subnormal = bitcast<u32>(f32(magnitude) * 0x1p-24);
  return bitcast<f32>(((bits & 0x8000u) << 16u) | select(subnormal, normal, magnitude >= 0x400u));
}

// x rounded to binary16 as above, as binary32.
fn to_binary16(x: f32) -> f32 {
  return from_binary16(binary16_bits(x));
}

// 1 / sqrt(a) of a normal a > 0: inverseSqrt is good to 2 ULP, a step of Newton's method makes that less than 1.
fn inverse_root(a: f32) -> f32 {
  let r = inverseSqrt(a);
  return r + 0.5 * r * (1.0 - a * r * r);
}

// Elements of a mean square are added as squares of 2^-10 x: for up to 2^20 elements the sum overflows only where the mean does.
const mean_square_power = 0x1p-10;

// 1 / sqrt(mean square + eps) of n elements, from the sum of the squares of 2^-10 x; the mean square is finite.
fn inverse_root_mean_square(sum: f32, n: u32, eps: f32) -> f32 {
  return inverse_root(sum / (mean_square_power * mean_square_power * f32(n)) + eps);
}
