// dot_packed: the sum of four products of 8-bit lanes by packed_4x8_integer_dot_product.
//
//   dot4(a, b) = a0 b0 + a1 b1 + a2 b2 + a3 b3, lane i in bits 8i to 8i + 7 of each word
//
// All lanes are signed; the sum is exact.

fn dot4(a: u32, b: u32) -> i32 {
    return dot4I8Packed(a, b);
}
