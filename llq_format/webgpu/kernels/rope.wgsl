// rope: splits the qkv product into heads, rotates, normalises and tempers queries and keys, and stores keys and values.
//
//   (a, b) -> (a cos - b sin, b cos + a sin);  head / sqrt(mean(head^2) + eps);
//   q * (1 + attn_scale * ln(1 + (position + 1) / floor_scale)) * head_dim^-1/2, the inner division that of integers
//
// Bindings, group 0: qkv f32[tokens, (heads + 2 kv_heads) * head_dim], rope f32[context, head_dim / 2, 2] (cos, sin),
//   state u32[64], q f32[tokens, heads * head_dim], keys and values [context, kv_heads * head_dim], binary16 pairs or f32
// flags: 1 rotate, 2 pairs are halves of the head (else neighbours), 4 normalise queries and keys, 8 the cache is binary16
// Threads: grid.x = head of heads + 2 kv_heads, grid.y = token; an invocation computes pairs of neighbouring elements of the
// head. head_dim is even.

struct RopeParameters {
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  flags: u32,
  eps: f32,
  attn_scale: f32,
  floor_scale: u32,
}

@group(0) @binding(0) var<storage, read> rope_qkv: array<f32>;
@group(0) @binding(1) var<storage, read> rope_table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> rope_state: array<u32>;
@group(0) @binding(3) var<storage, read_write> rope_q: array<f32>;
@group(0) @binding(4) var<storage, read_write> rope_keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> rope_values: array<u32>;
@group(1) @binding(0) var<uniform> rope_parameters: RopeParameters;

// Element e of the head that starts at qkv[first], rotated by the angle of its pair.
fn rope_rotated(first: u32, e: u32, position: u32) -> f32 {
  let p = rope_parameters;
  let half = p.head_dim >> 1u;
  let halves = (p.flags & 2u) != 0u;
  let pair = select(e >> 1u, e % half, halves);
  let is_second = select((e & 1u) != 0u, e >= half, halves);
  let distance = select(1u, half, halves);
  let partner = select(e + distance, e - distance, is_second);
  let turn = rope_table[position * half + pair];
  return rope_qkv[first + e] * turn.x + rope_qkv[first + partner] * select(-turn.y, turn.y, is_second);
}

// Puts elements i and i + 1 of the cache, in its format.
fn rope_store(i: u32, v: vec2<f32>, is_value: bool) {
  if ((rope_parameters.flags & 8u) != 0u) {
    let word = binary16_bits(v.x) | (binary16_bits(v.y) << 16u);
    if (is_value) {
      rope_values[i >> 1u] = word;
    } else {
      rope_keys[i >> 1u] = word;
    }
    return;
  }
  let words = bitcast<vec2<u32>>(v);
  if (is_value) {
    rope_values[i] = words.x;
    rope_values[i + 1u] = words.y;
  } else {
    rope_keys[i] = words.x;
    rope_keys[i + 1u] = words.y;
  }
}

// Elements e and e + 1 of a head, rotated if the layer does so.
fn rope_pair(first: u32, e: u32, position: u32, rotate: bool) -> vec2<f32> {
  if (rotate) {
    return vec2(rope_rotated(first, e, position), rope_rotated(first, e + 1u, position));
  }
  return vec2(rope_qkv[first + e], rope_qkv[first + e + 1u]);
}

@compute @workgroup_size(256)
fn rope(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = rope_parameters;
  let head = group.x;
  let t = group.y;
  let position = rope_state[0] + t;
  let first = (t * (p.heads + 2u * p.kv_heads) + head) * p.head_dim;
  let is_value = head >= p.heads + p.kv_heads;
  let rotate = (p.flags & 1u) != 0u && !is_value;
  var factor = 1.0;
  if ((p.flags & 4u) != 0u && !is_value) {
    var squares = 0.0;
    for (var e = 2u * lane; e < p.head_dim; e += 512u) {
      let v = mean_square_power * rope_pair(first, e, position, rotate);
      squares += dot(v, v);
    }
    factor = inverse_root_mean_square(group_sum(squares, lane), p.head_dim, p.eps);
  }
  if (head < p.heads) {
    if (p.floor_scale != 0u) {
      let steps = (position + 1u) / p.floor_scale;
      factor *= select(1.0, 1.0 + p.attn_scale * log(f32(1u + steps)), steps > 0u);
    }
    factor *= inverse_root(f32(p.head_dim));
  }
  let kv_head = head - p.heads - select(0u, p.kv_heads, is_value);
  for (var e = 2u * lane; e < p.head_dim; e += 512u) {
    let v = rope_pair(first, e, position, rotate) * factor;
    if (head < p.heads) {
      let i = (t * p.heads + head) * p.head_dim + e;
      rope_q[i] = v.x;
      rope_q[i + 1u] = v.y;
    } else {
      rope_store((position * p.kv_heads + kv_head) * p.head_dim + e, v, is_value);
    }
  }
}
