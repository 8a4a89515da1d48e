// dequantize: decoded weights of blocks, and raw tensors as binary32 (chapter Dequantization).
//
//   dequantize: y(r, c) = scale_b * (q - zero_point_b), bit for bit, zero as +0
//   widen:      y(first + i) = table(i) as binary32, subnormals and the sign of zero included
//
// Bindings, group 0: dequantize: packed vec4<u32>[blocks, 128] (64 rows of low bits, 64 of high bits), scale binary16 pairs,
//   zero_point four i8 a word, y u32[rows, cols] (bits); widen: table binary16 pairs or f32, y u32[count]
// packed holds `rows` whole rows of the matrix, which are written from row first_row of y on; their first block has the index
// first_block in scale and zero_point; blocks: blocks across. flags: 1 symmetric (zero_point 8, binding 2 is not read)
// Threads: dequantize: grid.x = ceil(cols / 64), grid.y = ceil(rows / 64): a workgroup decodes a block; an invocation decodes 16
// columns of a row; invocation i of 256 has row i / 4. widen: grid.x * 256 invocations, as many elements each as it needs.

struct DequantizeParameters {
  rows: u32,
  cols: u32,
  first_row: u32,
  blocks: u32,
  first_block: u32,
  flags: u32,
}

struct WidenParameters {
  count: u32,
  first: u32,
  f16: u32,
}

@group(0) @binding(0) var<storage, read> dequantize_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> dequantize_scale: array<u32>;
@group(0) @binding(2) var<storage, read> dequantize_zero_point: array<u32>;
@group(0) @binding(3) var<storage, read_write> dequantize_y: array<u32>;
@group(1) @binding(0) var<uniform> dequantize_parameters: DequantizeParameters;
@group(0) @binding(0) var<storage, read> widen_table: array<u32>;
@group(0) @binding(1) var<storage, read_write> widen_y: array<u32>;
@group(1) @binding(0) var<uniform> widen_parameters: WidenParameters;

@compute @workgroup_size(256)
fn dequantize(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = dequantize_parameters;
  let block = group.y * p.blocks + group.x;
  let b = p.first_block + block;
  let scale = from_binary16(dequantize_scale[b >> 1u] >> (16u * (b & 1u)));
  var zero_point = 8;
  if ((p.flags & 1u) == 0u) {
    zero_point = extractBits(bitcast<i32>(dequantize_zero_point[b >> 2u]), 8u * (b & 3u), 8u);
  }
  let r = lane >> 2u;
  let w = lane & 3u;
  let low = dequantize_packed[block * 128u + r][w];
  let high = dequantize_packed[block * 128u + 64u + r][w];
  let row = group.y * 64u + r;
  let column = group.x * 64u + 16u * w;
  if (row >= p.rows || column >= p.cols) {
    return;
  }
  let first = (p.first_row + row) * p.cols + column;
  for (var k = 0u; k < min(16u, p.cols - column); k++) {
    let q = ((low >> (2u * k)) & 3u) | (((high >> (2u * k)) & 3u) << 2u);
    let weight = scale * f32(i32(q) - zero_point);
    dequantize_y[first + k] = bitcast<u32>(weight);
  }
}

@compute @workgroup_size(256)
fn widen(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
) {
  let p = widen_parameters;
  for (var i = id.x; i < p.count; i += 256u * groups.x) {
    if (p.f16 != 0u) {
      let bits = widen_table[i >> 1u] >> (16u * (i & 1u));
      widen_y[p.first + i] = bitcast<u32>(from_binary16(bits));
    } else {
      widen_y[p.first + i] = widen_table[i];
    }
  }
}
