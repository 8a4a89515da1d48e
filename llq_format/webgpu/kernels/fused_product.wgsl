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

// Four rows of blocks on their way: words of both planes, scale and zero_point. They are asked for long before they are used,
// the first ones before the vector is rounded, so that memory works meanwhile.
struct FusedTile {
  l0: vec4<u32>,
  h0: vec4<u32>,
  l1: vec4<u32>,
  h1: vec4<u32>,
  l2: vec4<u32>,
  h2: vec4<u32>,
  l3: vec4<u32>,
  h3: vec4<u32>,
  scale: vec4<f32>,
  zero: vec4<i32>,
}

// at: where the rows have their low bits; b: the blocks that they lie in.
fn fused_load(at: vec4<u32>, b: vec4<u32>, symmetric: bool) -> FusedTile {
  var tile: FusedTile;
  tile.l0 = fused_packed[at.x];
  tile.h0 = fused_packed[at.x + 64u];
  tile.l1 = fused_packed[at.y];
  tile.h1 = fused_packed[at.y + 64u];
  tile.l2 = fused_packed[at.z];
  tile.h2 = fused_packed[at.z + 64u];
  tile.l3 = fused_packed[at.w];
  tile.h3 = fused_packed[at.w + 64u];
  tile.scale = vec4(fused_scale_of(b.x), fused_scale_of(b.y), fused_scale_of(b.z), fused_scale_of(b.w));
  tile.zero = vec4(
    fused_zero_of(b.x, symmetric),
    fused_zero_of(b.y, symmetric),
    fused_zero_of(b.z, symmetric),
    fused_zero_of(b.w, symmetric),
  );
  return tile;
}

// What the tile's rows add, the first two with block column j.x, the others with j.y.
fn fused_apply(tile: FusedTile, j: vec2<u32>) -> vec4<f32> {
  let dots = vec4(
    fused_dot(tile.l0, tile.h0, j.x),
    fused_dot(tile.l1, tile.h1, j.x),
    fused_dot(tile.l2, tile.h2, j.y),
    fused_dot(tile.l3, tile.h3, j.y),
  );
  let sums = vec2(atomicLoad(&fused_sums[j.x]), atomicLoad(&fused_sums[j.y]));
  return tile.scale * vec4<f32>(dots - tile.zero * sums.xxyy);
}

// A tile of four rows and one block column j: rows 16 apart; the first two in block row i.x, the others in i.y.
fn fused_load_four(at: vec4<u32>, i: vec2<u32>, j: u32, blocks: u32, symmetric: bool) -> FusedTile {
  let column = min(j, blocks - 1u);
  return fused_load(at + vec4(128u * column), (i * blocks).xxyy + vec4(column), symmetric);
}

// What this invocation's block columns add to four rows; near and next are its first two tiles.
fn fused_four(
  at: vec4<u32>, i: vec2<u32>, blocks: u32, symmetric: bool, lane: u32, first: FusedTile, second: FusedTile,
) -> vec4<f32> {
  var sum = vec4<f32>();
  var near = first;
  var next = second;
  for (var j = lane >> 4u; j < blocks; j += 16u) {
    sum += fused_apply(near, vec2(j));
    near = next;
    if (j + 32u < blocks) {
      next = fused_load_four(at, i, j + 32u, blocks, symmetric);
    }
  }
  return sum;
}

// A tile of two rows, 16 apart, in block row i, and two block columns, j and j + 16.
fn fused_load_two(at: vec2<u32>, i: u32, j: u32, blocks: u32, symmetric: bool) -> FusedTile {
  let columns = min(vec2(j, j + 16u), vec2(blocks - 1u));
  return fused_load(at.xyxy + 128u * columns.xxyy, vec4(i * blocks) + columns.xxyy, symmetric);
}

// What this invocation's block columns add to two rows.
fn fused_two(
  at: vec2<u32>, i: u32, blocks: u32, symmetric: bool, lane: u32, first: FusedTile, second: FusedTile,
) -> vec2<f32> {
  var sum = vec2<f32>();
  var near = first;
  var next = second;
  for (var j = lane >> 4u; j < blocks; j += 32u) {
    let has_second = j + 16u < blocks;
    let added = fused_apply(near, vec2(j, select(j, j + 16u, has_second)));
    sum += added.xy + select(vec2(0.0), added.zw, has_second);
    near = next;
    if (j + 64u < blocks) {
      next = fused_load_two(at, i, j + 64u, blocks, symmetric);
    }
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

// The same for 32 rows; row 16 k + lane % 16 of component k. Result in lanes below 32.
fn fused_total_two(sum: vec2<f32>, lane: u32) -> f32 {
  fused_scratch[32u * (lane >> 4u) + (lane & 15u)] = sum.x;
  fused_scratch[32u * (lane >> 4u) + 16u + (lane & 15u)] = sum.y;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 16u; i++) {
    total += fused_scratch[32u * i + (lane & 31u)];
  }
  workgroupBarrier();
  return total;
}
