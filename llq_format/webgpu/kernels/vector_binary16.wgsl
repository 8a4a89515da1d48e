// vector_binary16: rounding of the vector of one position to binary16 values, kept as binary32, and the sums of its blocks.
//
// Threads: an invocation rounds four neighbouring columns at a time, so 16 neighbours make a block of 64 columns and 256 make
// four. The sum of a block adds the four values of each invocation, then those of the 16, in order.

var<workgroup> vector_binary16_sums: array<f32, 512>;

fn vector_binary16_rounded(v: vec4<f32>) -> vec4<f32> {
  return vec4(to_binary16(v.x), to_binary16(v.y), to_binary16(v.z), to_binary16(v.w));
}

// Sum of the values of the block that 16 invocations hold, valid in the first of each 16. Needs uniform control flow. turn
// counts the calls: even and odd ones use different halves of the memory, so one barrier per call is enough.
fn vector_binary16_block_sum(v: vec4<f32>, lane: u32, turn: u32) -> f32 {
  let half = (turn & 1u) * 256u;
  vector_binary16_sums[half + lane] = v.x + v.y + v.z + v.w;
  workgroupBarrier();
  var total = 0.0;
  if ((lane & 15u) == 0u) {
    for (var i = 0u; i < 16u; i++) {
      total += vector_binary16_sums[half + lane + i];
    }
  }
  return total;
}
