// vector_int8: rounding of the vector of one position to INT8 codes, block sums and a scale (chapter Activations).
//
//   largest = max |v|, 0 where below 2^-100;  inverse = 127 / largest;  code = clamp(round(v * inverse), -127, 127)
//   scale = largest * (1 / 127)
//
// INT8 order: a block of 64 columns is 16 words. Word 4 w + k holds in byte j (0..3) the code of column 16 w + 4 j + k: what
// the masks 0x03, 0x0C, 0x30, 0xC0 leave of word w of a row of a plane are those columns for k = 0, 1, 2, 3.
// Threads: an invocation computes one word at a time, so 16 neighbours make a block and 256 make four.

var<workgroup> vector_int8_sums: array<i32, 512>;

// First of the four columns of a word of the vector; the others follow at distances of 4.
fn vector_int8_column(word: u32) -> u32 {
  return 16u * (word >> 2u) + (word & 3u);
}

// WGSL promises an accurate quotient for divisors of magnitude 2^-126 to 2^126 only; both powers of two are exact.
fn vector_int8_inverse(largest: f32) -> f32 {
  let power = select(1.0, 0x1p-32, largest >= 0x1p+96);
  return select(0.0, power * (127.0 / (power * max(largest, 0x1p-100))), largest >= 0x1p-100);
}

fn vector_int8_scale(largest: f32) -> f32 {
  return select(0.0, largest * (1.0 / 127.0), largest >= 0x1p-100);
}

fn vector_int8_codes(v: vec4<f32>, inverse: f32) -> vec4<i32> {
  return vec4<i32>(clamp(round(v * inverse), vec4(-127.0), vec4(127.0)));
}

fn vector_int8_word(codes: vec4<i32>) -> u32 {
  let bytes = bitcast<vec4<u32>>(codes) & vec4(0xffu);
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

// Sum of the codes of the block that 16 invocations hold, valid in the first of each 16. Needs uniform control flow. turn
// counts the calls: even and odd ones use different halves of the memory, so one barrier per call is enough.
fn vector_int8_block_sum(codes: vec4<i32>, lane: u32, turn: u32) -> i32 {
  let half = (turn & 1u) * 256u;
  vector_int8_sums[half + lane] = codes.x + codes.y + codes.z + codes.w;
  workgroupBarrier();
  var total = 0;
  if ((lane & 15u) == 0u) {
    for (var i = 0u; i < 16u; i++) {
      total += vector_int8_sums[half + lane + i];
    }
  }
  return total;
}
