// embed: x(t) = the row of the embedding that token t names (chapter Decoder, DEC-1).
//
// Bindings, group 0: table binary16 pairs or f32 [num_rows, cols], tokens u32[tokens], x f32[tokens, x_stride]
// The table may be a part of the embedding, rows first_row to first_row + num_rows - 1: x is unchanged for other tokens.
// Threads: grid.x = ceil(cols / 256), grid.y = token; an invocation copies one element.

struct EmbedParameters {
  first_row: u32,
  num_rows: u32,
  cols: u32,
  x_stride: u32,
  f16: u32,
}

@group(0) @binding(0) var<storage, read> embed_table: array<u32>;
@group(0) @binding(1) var<storage, read> embed_tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> embed_x: array<f32>;
@group(1) @binding(0) var<uniform> embed_parameters: EmbedParameters;

@compute @workgroup_size(256)
fn embed(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = embed_parameters;
  let c = group.x * 256u + lane;
  let row = embed_tokens[group.y] - p.first_row;  // wraps to a large number for a row before the part
  if (c >= p.cols || row >= p.num_rows) {
    return;
  }
  let i = row * p.cols + c;
  if (p.f16 != 0u) {
    embed_x[group.y * p.x_stride + c] = from_binary16(embed_table[i >> 1u] >> (16u * (i & 1u)));
  } else {
    embed_x[group.y * p.x_stride + c] = bitcast<f32>(embed_table[i]);
  }
}
