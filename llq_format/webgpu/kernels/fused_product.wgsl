// fused_product: what the fused kernels of decode share: one vector rounded to INT8 on load, times rows of an INT4 matrix.
//
//   y(r) = s * sum over j of scale_b * (sum over c of code_rc q_c - zero_point_b * sum over c of q_c)       (ACT-2, ACT-7)
//
// Every workgroup rounds the whole vector for itself, into workgroup memory: that costs less than a dispatch of its own.
// Layout: as in matvec_int8. One vector, at most 176 blocks (11264 columns), columns a multiple of 64; the matrix is one part
// in one binding, so that block (i, j) has index i * blocks + j in all three sections.
// Threads: 256 = 16 that share rows (lane % 16) times 16 that share block columns (lane / 16).
// Workgroup memory: 11264 + 704 + 4096 bytes.

@group(0) @binding(0) var<storage, read> fused_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> fused_scale: array<u32>;
@group(0) @binding(2) var<storage, read> fused_zero_point: array<u32>;

var<workgroup> fused_codes: array<vec4<u32>, 704>;  // 16 codes each, in INT8 order
var<workgroup> fused_sums: array<atomic<i32>, 176>;
var<workgroup> fused_scratch: array<f32, 1024>;

// Workgroup memory begins as zeros, but not on every driver. A barrier must follow.
fn fused_clear(lane: u32) {
  if (lane < 176u) {
    atomicStore(&fused_sums[lane], 0);
  }
}

// (sum of v.x, greatest v.y >= 0) over the workgroup, in every invocation. Ends with a barrier.
fn fused_reduce(v: vec2<f32>, lane: u32) -> vec2<f32> {
  fused_scratch[lane] = v.x;
  fused_scratch[256u + lane] = v.y;
  workgroupBarrier();
  if (lane < 16u) {
    var part = vec2(0.0);
    for (var i = 0u; i < 16u; i++) {
      part.x += fused_scratch[16u * i + lane];
      part.y = max(part.y, fused_scratch[256u + 16u * i + lane]);
    }
    fused_scratch[512u + lane] = part.x;
    fused_scratch[528u + lane] = part.y;
  }
  workgroupBarrier();
  var total = vec2(0.0);
  for (var i = 0u; i < 16u; i++) {
    total.x += fused_scratch[512u + i];
    total.y = max(total.y, fused_scratch[528u + i]);
  }
  workgroupBarrier();
  return total;
}

// 127 / greatest; 0 for a vector whose codes are all 0 (ACT-4).
fn fused_inverse(greatest: f32) -> f32 {
  return select(0.0, 127.0 / max(greatest, 0x1p-120), greatest >= 0x1p-120);
}

// Rounds columns 16 segment to 16 segment + 15. Element k of values j is column 16 segment + 4 j + k.
fn fused_put(segment: u32, v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>, v3: vec4<f32>) {
  let limit = vec4(127.0);
  let c0 = vec4<i32>(clamp(round(v0), -limit, limit));
  let c1 = vec4<i32>(clamp(round(v1), -limit, limit));
  let c2 = vec4<i32>(clamp(round(v2), -limit, limit));
  let c3 = vec4<i32>(clamp(round(v3), -limit, limit));
  let byte = vec4(255u);
  fused_codes[segment] = (bitcast<vec4<u32>>(c0) & byte) | ((bitcast<vec4<u32>>(c1) & byte) << vec4(8u))
      | ((bitcast<vec4<u32>>(c2) & byte) << vec4(16u)) | (bitcast<vec4<u32>>(c3) << vec4(24u));
  let sum = c0 + c1 + c2 + c3;
  atomicAdd(&fused_sums[segment >> 2u], sum.x + sum.y + sum.z + sum.w);
}

fn fused_scale_of(block: u32) -> f32 {
  let pair = halves(fused_scale[block >> 1u]);
  return select(pair.x, pair.y, (block & 1u) == 1u);
}

fn fused_zero_of(block: u32, symmetric: bool) -> i32 {
  if (symmetric) {
    return 8;
  }
  return extractBits(bitcast<i32>(fused_zero_point[block >> 2u]), 8u * (block & 3u), 8u);
}

// 16 columns: a word of each plane with the four words of codes that its masks select.
fn fused_word(low: u32, high: u32, codes: vec4<u32>) -> i32 {
  let even = (low & 0x33333333u) | ((high << 2u) & 0xccccccccu);
  let odd = ((low >> 2u) & 0x33333333u) | (high & 0xccccccccu);
  return (dot4(even & 0x0f0f0f0fu, codes.x) + dot4((even >> 4u) & 0x0f0f0f0fu, codes.z))
      + (dot4(odd & 0x0f0f0f0fu, codes.y) + dot4((odd >> 4u) & 0x0f0f0f0fu, codes.w));
}

// 64 columns of a row: its words of both planes with the codes of block column j.
fn fused_dot(low: vec4<u32>, high: vec4<u32>, j: u32) -> i32 {
  return (fused_word(low.x, high.x, fused_codes[4u * j]) + fused_word(low.y, high.y, fused_codes[4u * j + 1u]))
      + (fused_word(low.z, high.z, fused_codes[4u * j + 2u]) + fused_word(low.w, high.w, fused_codes[4u * j + 3u]));
}

// What this invocation's block columns add to four rows. at: where each row of block column 0 has its low bits; the first two
// rows lie in block row i.x, the others in i.y.
fn fused_four(at: vec4<u32>, i: vec2<u32>, blocks: u32, symmetric: bool, lane: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var j = lane >> 4u; j < blocks; j += 16u) {
    let a = at + vec4(128u * j);
    let l0 = fused_packed[a.x];
    let h0 = fused_packed[a.x + 64u];
    let l1 = fused_packed[a.y];
    let h1 = fused_packed[a.y + 64u];
    let l2 = fused_packed[a.z];
    let h2 = fused_packed[a.z + 64u];
    let l3 = fused_packed[a.w];
    let h3 = fused_packed[a.w + 64u];
    let b = i * blocks + vec2(j);
    let scale = vec2(fused_scale_of(b.x), fused_scale_of(b.y));
    let zero = vec2(fused_zero_of(b.x, symmetric), fused_zero_of(b.y, symmetric)) * atomicLoad(&fused_sums[j]);
    let dots = vec4(fused_dot(l0, h0, j), fused_dot(l1, h1, j), fused_dot(l2, h2, j), fused_dot(l3, h3, j));
    sum += scale.xxyy * vec4<f32>(dots - zero.xxyy);
  }
  return sum;
}

// The same for one row; four block columns at a time, so that their loads are under way together.
fn fused_one(at: u32, i: u32, blocks: u32, symmetric: bool, lane: u32) -> f32 {
  var sum = 0.0;
  for (var j = lane >> 4u; j < blocks; j += 64u) {
    let columns = min(vec4(j) + vec4(0u, 16u, 32u, 48u), vec4(blocks - 1u));
    let a = vec4(at) + 128u * columns;
    let l0 = fused_packed[a.x];
    let h0 = fused_packed[a.x + 64u];
    let l1 = fused_packed[a.y];
    let h1 = fused_packed[a.y + 64u];
    let l2 = fused_packed[a.z];
    let h2 = fused_packed[a.z + 64u];
    let l3 = fused_packed[a.w];
    let h3 = fused_packed[a.w + 64u];
    let b = vec4(i * blocks) + columns;
    let dots = vec4(
      fused_dot(l0, h0, columns.x) - fused_zero_of(b.x, symmetric) * atomicLoad(&fused_sums[columns.x]),
      fused_dot(l1, h1, columns.y) - fused_zero_of(b.y, symmetric) * atomicLoad(&fused_sums[columns.y]),
      fused_dot(l2, h2, columns.z) - fused_zero_of(b.z, symmetric) * atomicLoad(&fused_sums[columns.z]),
      fused_dot(l3, h3, columns.w) - fused_zero_of(b.w, symmetric) * atomicLoad(&fused_sums[columns.w]),
    );
    let scale = vec4(fused_scale_of(b.x), fused_scale_of(b.y), fused_scale_of(b.z), fused_scale_of(b.w));
    let counts = select(vec4(0.0), scale, vec4(j) + vec4(0u, 16u, 32u, 48u) < vec4(blocks));
    sum += dot(counts, vec4<f32>(dots));
  }
  return sum;
}

// Adds up what the 16 invocations of each of 64 rows have; row 16 k + lane % 16 of component k. Result in lanes below 64.
fn fused_total_four(sum: vec4<f32>, lane: u32) -> f32 {
  for (var k = 0u; k < 4u; k++) {
    fused_scratch[64u * (lane >> 4u) + 16u * k + (lane & 15u)] = sum[k];
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 16u; i++) {
    total += fused_scratch[64u * i + (lane & 63u)];
  }
  workgroupBarrier();
  return total;
}

// The same for 16 rows; every invocation has the total of row lane % 16.
fn fused_total_one(sum: f32, lane: u32) -> f32 {
  fused_scratch[lane] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 16u; i++) {
    total += fused_scratch[16u * i + (lane & 15u)];
  }
  workgroupBarrier();
  return total;
}
