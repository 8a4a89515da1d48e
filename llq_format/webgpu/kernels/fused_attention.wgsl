// fused_attention: RoPE, the store into the KV cache, scores, softmax and values of one head and one split, of one token.
//
//   as rope and attention do it, without qk_norm and temperature; the position's own key and value come from qkv
//
// The context is cut into as many splits as it fills with 128 positions each, at most `splits`; the others are
// empty: m = -3.4e38, l = 0, and o is left as it is.
// Bindings, group 0: qkv f32[(heads + 2 kv_heads) * head_dim], rope f32[context, head_dim / 2, 2], state u32[64],
//   keys and values [context, kv_heads * head_dim / 8] (vec4 of binary16 pairs), partials f32[heads, splits, head_dim + 2]
// head_dim is a multiple of 16, at most 256; the cache is binary16. flags: 1 rotate, 2 pairs are halves of the head.
// Threads: grid.x = head, grid.y = split. In a tile of 64 positions four invocations compute the score of one, a quarter of the
// head each; then each takes 8 elements of every n-th position, n = 256 / (head_dim / 8). Loads of four at a time.

struct FusedAttention {
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  splits: u32,
  chunk_size: u32,
  flags: u32,
}

@group(0) @binding(0) var<storage, read> fused_attention_qkv: array<f32>;
@group(0) @binding(1) var<storage, read> fused_attention_table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> fused_attention_state: array<u32>;
@group(0) @binding(3) var<storage, read_write> fused_attention_keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> fused_attention_values: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> fused_attention_partials: array<f32>;
@group(1) @binding(0) var<uniform> fused_attention_parameters: FusedAttention;

var<workgroup> fused_attention_query: array<vec4<f32>, 64>;
var<workgroup> fused_attention_own: array<vec4<u32>, 64>;  // this position's key, then its value, as the cache has them
var<workgroup> fused_attention_weights: array<f32, 256>;
var<workgroup> fused_attention_parts: array<vec4<f32>, 512>;

// Into how many splits the context of a position is cut.
fn fused_splits(position: u32, chunk_size: u32, splits: u32) -> u32 {
  let start = select(0u, position - position % max(chunk_size, 1u), chunk_size != 0u);
  return clamp((position - start + 128u) / 128u, 1u, splits);
}

// Element e of the head that starts at qkv[first], rotated.
fn fused_attention_rotated(first: u32, e: u32, position: u32) -> f32 {
  let p = fused_attention_parameters;
  let own = fused_attention_qkv[first + e];
  if ((p.flags & 1u) == 0u) {
    return own;
  }
  let half = p.head_dim >> 1u;
  let halved = (p.flags & 2u) != 0u;
  let pair = select(e >> 1u, select(e, e - half, e >= half), halved);
  let is_second = select((e & 1u) != 0u, e >= half, halved);
  let distance = select(1u, half, halved);
  let partner = fused_attention_qkv[first + select(e + distance, e - distance, is_second)];
  let turn = fused_attention_table[position * half + pair];
  return own * turn.x + partner * select(-turn.y, turn.y, is_second);
}

// Elements 8 i to 8 i + 7 of the position's own key (or value), as the cache holds them.
fn fused_attention_stored(first: u32, i: u32, position: u32, is_value: bool) -> vec4<u32> {
  var words = vec4(0u);
  for (var k = 0u; k < 8u; k++) {
    var v = 0.0;
    if (is_value) {
      v = fused_attention_qkv[first + 8u * i + k];
    } else {
      v = fused_attention_rotated(first, 8u * i + k, position);
    }
    words[k >> 1u] |= binary16_bits(v) << (16u * (k & 1u));
  }
  return words;
}

fn fused_attention_dot(i: u32, words: vec4<u32>) -> f32 {
  let a = vec4(halves(words.x), halves(words.y));
  let b = vec4(halves(words.z), halves(words.w));
  return dot(fused_attention_query[2u * i], a) + dot(fused_attention_query[2u * i + 1u], b);
}

@compute @workgroup_size(256)
fn fused_attention(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = fused_attention_parameters;
  let head = group.x;
  let position = fused_attention_state[0];
  let used = fused_splits(position, p.chunk_size, p.splits);
  if (group.y >= used) {
    if (lane == 0u) {
      let empty = (head * p.splits + group.y) * (p.head_dim + 2u) + p.head_dim;
      fused_attention_partials[empty] = -3.4e38;
      fused_attention_partials[empty + 1u] = 0.0;
    }
    return;
  }
  let start = select(0u, position - position % max(p.chunk_size, 1u), p.chunk_size != 0u);
  let run = (position - start + used) / used;
  let first = min(start + group.y * run, position + 1u);
  let end = min(first + run, position + 1u);
  let words = p.head_dim >> 3u;  // vec4 of a head
  let kv_head = head * p.kv_heads / p.heads;
  let stride = p.kv_heads * words;
  let key_first = (p.heads + kv_head) * p.head_dim;
  let value_first = key_first + p.kv_heads * p.head_dim;

  if (lane < p.head_dim / 4u) {
    let e = 4u * lane;
    let query_first = head * p.head_dim;
    fused_attention_query[lane] = inverse_root(f32(p.head_dim)) * vec4(
      fused_attention_rotated(query_first, e, position),
      fused_attention_rotated(query_first, e + 1u, position),
      fused_attention_rotated(query_first, e + 2u, position),
      fused_attention_rotated(query_first, e + 3u, position),
    );
  }
  if (end == position + 1u && lane >= 64u && lane < 64u + 2u * words) {
    let is_value = lane >= 64u + words;
    let i = lane - 64u - select(0u, words, is_value);
    let own = fused_attention_stored(select(key_first, value_first, is_value), i, position, is_value);
    fused_attention_own[select(0u, 32u, is_value) + i] = own;
    if (head * p.kv_heads % p.heads < p.kv_heads) {  // the first query head of this key-value head stores
      let at = position * stride + kv_head * words + i;
      if (is_value) {
        fused_attention_values[at] = own;
      } else {
        fused_attention_keys[at] = own;
      }
    }
  }
  workgroupBarrier();

  let ways = 256u / words;
  let way = lane / words;
  let element = lane % words;
  var m = -3.4e38;
  var l = 0.0;
  var sum0 = vec4(0.0);
  var sum1 = vec4(0.0);
  let quarter = lane >> 6u;
  let begins = quarter * words / 4u;  // this quarter's part of the head, in vec4
  let ends = (quarter + 1u) * words / 4u;
  for (var tile = first; tile < end; tile += 64u) {
    let k = tile + (lane & 63u);
    let is_used = k < end;
    let at = min(k, end - 1u) * stride + kv_head * words;
    var score = 0.0;
    for (var i = begins; i < ends; i += 4u) {
      let last = ends - 1u;
      var k0 = fused_attention_keys[at + i];
      var k1 = fused_attention_keys[at + min(i + 1u, last)];
      var k2 = fused_attention_keys[at + min(i + 2u, last)];
      var k3 = fused_attention_keys[at + min(i + 3u, last)];
      if (k == position) {  // what the cache holds there is not known yet
        k0 = fused_attention_own[i];
        k1 = fused_attention_own[min(i + 1u, last)];
        k2 = fused_attention_own[min(i + 2u, last)];
        k3 = fused_attention_own[min(i + 3u, last)];
      }
      score += fused_attention_dot(i, k0);
      score += select(0.0, fused_attention_dot(min(i + 1u, last), k1), i + 1u < ends);
      score += select(0.0, fused_attention_dot(min(i + 2u, last), k2), i + 2u < ends);
      score += select(0.0, fused_attention_dot(min(i + 3u, last), k3), i + 3u < ends);
    }
    fused_attention_weights[lane] = score;
    workgroupBarrier();
    if (lane < 64u) {
      score += fused_attention_weights[64u + lane] + fused_attention_weights[128u + lane] + fused_attention_weights[192u + lane];
    }
    let counts = is_used && lane < 64u;
    let greatest = max(m, group_max(select(-3.4e38, score, counts), lane));
    let weight = select(0.0, exp(max(score - greatest, -87.0)), counts);
    let shrink = exp(max(m, greatest - 87.0) - greatest);
    fused_attention_weights[lane] = weight;
    l = l * shrink + group_sum(weight, lane);  // its barriers make the weights visible
    sum0 *= shrink;
    sum1 *= shrink;
    m = greatest;
    let count = min(end - tile, 64u);
    for (var i = way; i < select(0u, count, way < ways); i += 4u * ways) {
      let values = (tile + min(vec4(i) + ways * vec4(0u, 1u, 2u, 3u), vec4(count - 1u)));
      let places = values * stride + vec4(kv_head * words + element);
      var v0 = fused_attention_values[places.x];
      var v1 = fused_attention_values[places.y];
      var v2 = fused_attention_values[places.z];
      var v3 = fused_attention_values[places.w];
      let own = fused_attention_own[32u + element];
      v0 = select(v0, own, vec4(values.x == position));
      v1 = select(v1, own, vec4(values.y == position));
      v2 = select(v2, own, vec4(values.z == position));
      v3 = select(v3, own, vec4(values.w == position));
      let w0 = fused_attention_weights[i];
      let w1 = select(0.0, fused_attention_weights[min(i + ways, 63u)], i + ways < count);
      let w2 = select(0.0, fused_attention_weights[min(i + 2u * ways, 63u)], i + 2u * ways < count);
      let w3 = select(0.0, fused_attention_weights[min(i + 3u * ways, 63u)], i + 3u * ways < count);
      sum0 += w0 * vec4(halves(v0.x), halves(v0.y)) + w1 * vec4(halves(v1.x), halves(v1.y))
          + w2 * vec4(halves(v2.x), halves(v2.y)) + w3 * vec4(halves(v3.x), halves(v3.y));
      sum1 += w0 * vec4(halves(v0.z), halves(v0.w)) + w1 * vec4(halves(v1.z), halves(v1.w))
          + w2 * vec4(halves(v2.z), halves(v2.w)) + w3 * vec4(halves(v3.z), halves(v3.w));
    }
    workgroupBarrier();  // the weights have been read
  }
  fused_attention_parts[2u * lane] = sum0;
  fused_attention_parts[2u * lane + 1u] = sum1;
  workgroupBarrier();
  let out = (head * p.splits + group.y) * (p.head_dim + 2u);
  if (lane < 2u * words) {
    var total = vec4(0.0);
    for (var i = 0u; i < ways; i++) {
      total += fused_attention_parts[2u * words * i + lane];
    }
    for (var i = 0u; i < 4u; i++) {
      fused_attention_partials[out + 4u * lane + i] = total[i];
    }
  }
  if (lane == 0u) {
    fused_attention_partials[out + p.head_dim] = m;
    fused_attention_partials[out + p.head_dim + 1u] = l;
  }
}
