// dot_portable: the sum of four products of 8-bit lanes, without a language extension.
//
//   dot4(a, b) = a0 b0 + a1 b1 + a2 b2 + a3 b3, lane i in bits 8i to 8i + 7 of each word
//
// All lanes are signed; the sum is exact.

fn dot4(a: u32, b: u32) -> i32 {
    let first = (i32(a << 24u) >> 24u) * (i32(b << 24u) >> 24u);
    let second = (i32(a << 16u) >> 24u) * (i32(b << 16u) >> 24u);
    let third = (i32(a << 8u) >> 24u) * (i32(b << 8u) >> 24u);
    let fourth = (i32(a) >> 24u) * (i32(b) >> 24u);
    return (first + second) + (third + fourth);
}
