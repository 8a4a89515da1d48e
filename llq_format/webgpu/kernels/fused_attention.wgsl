// fused_attention: RoPE, the store into the KV cache, scores, softmax and values of one head and one split, of one token.
//
//   as in rope and attention, without qk_norm and temperature; the position's own key and value come from qkv
//
// The context is split into as many splits as it fills with 64 positions each, at most `splits`; the others are
// empty: l = 0, and o is unchanged.
// Bindings, group 0: qkv f32[(heads + 2 kv_heads) * head_dim], rope f32[context, head_dim / 2, 2], state u32[64],
//   keys and values [context, kv_heads * head_dim / 8] (vec4 of binary16 pairs), partials f32[heads, splits, head_dim + 2]
// head_dim is a multiple of 16, at most 256; the cache is binary16. flags: 1 rotate, 2 pairs are halves of the head.
// Threads: grid.x = head, grid.y = split. In a tile of 128 positions two invocations compute the score of one, half of the head
// each, asking for four words of four at a time; then each takes 8 elements of every n-th position, n = 256 / (head_dim / 8) and
// adds up the weights of these positions too.

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
var<workgroup> fused_attention_own: array<u32, 256>;  // pairs of this position's key, from 128 on of its value, as cached
var<workgroup> fused_attention_weights: array<f32, 256>;
var<workgroup> fused_attention_parts: array<vec4<f32>, 512>;
var<workgroup> fused_attention_sums: array<f32, 256>;

// Number of splits of the context of a position.
fn fused_splits(position: u32, chunk_size: u32, splits: u32) -> u32 {
  let start = select(0u, position - position % max(chunk_size, 1u), chunk_size != 0u);
  return clamp((position - start + 64u) / 64u, 1u, splits);
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

// Elements 8 i to 8 i + 7 of the position's own key (first = 0) or value (first = 128), as the cache holds them.
fn fused_attention_own_words(first: u32, i: u32) -> vec4<u32> {
  let at = first + 4u * i;
  return vec4(fused_attention_own[at], fused_attention_own[at + 1u], fused_attention_own[at + 2u], fused_attention_own[at + 3u]);
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
      fused_attention_partials[empty] = softmax_lowest;
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

  if (lane >= 192u && lane - 192u < p.head_dim / 4u) {
    let e = 4u * (lane - 192u);
    let query_first = head * p.head_dim;
    fused_attention_query[lane - 192u] = inverse_root(f32(p.head_dim)) * vec4(
      fused_attention_rotated(query_first, e, position),
      fused_attention_rotated(query_first, e + 1u, position),
      fused_attention_rotated(query_first, e + 2u, position),
      fused_attention_rotated(query_first, e + 3u, position),
    );
  }
  let has_own = end == position + 1u;
  if (has_own && lane < p.head_dim) {
    let pairs = p.head_dim >> 1u;
    if (lane < pairs) {
      let low = fused_attention_rotated(key_first, 2u * lane, position);
      let high = fused_attention_rotated(key_first, 2u * lane + 1u, position);
      fused_attention_own[lane] = binary16_bits(low) | (binary16_bits(high) << 16u);
    } else {
      let e = value_first + 2u * (lane - pairs);
      let low = binary16_bits(fused_attention_qkv[e]);
      fused_attention_own[128u + lane - pairs] = low | (binary16_bits(fused_attention_qkv[e + 1u]) << 16u);
    }
  }
  workgroupBarrier();
  // The first query head of a key-value head stores.
  if (has_own && lane < words && head * p.kv_heads % p.heads < p.kv_heads) {
    let at = position * stride + kv_head * words + lane;
    fused_attention_keys[at] = fused_attention_own_words(0u, lane);
    fused_attention_values[at] = fused_attention_own_words(128u, lane);
  }

  let ways = 256u / words;
  let way = lane / words;
  let element = lane % words;
  var m = softmax_lowest;
  var l = 0.0;
  var sum0 = vec4(0.0);
  var sum1 = vec4(0.0);
  let half = lane >> 7u;
  let begins = half * words / 2u;  // this half's part of the head, in vec4
  let ends = begins + words / 2u + half * (words & 1u);
  for (var tile = first; tile < end; tile += 128u) {
    let k = tile + (lane & 127u);
    let is_used = k < end;
    let at = min(k, end - 1u) * stride + kv_head * words;
    let last = ends - 1u;
    var score = 0.0;
    for (var i = begins; i < ends; i += 4u) {
      let places = min(vec4(i) + vec4(0u, 1u, 2u, 3u), vec4(last));
      var k0 = fused_attention_keys[at + places.x];
      var k1 = fused_attention_keys[at + places.y];
      var k2 = fused_attention_keys[at + places.z];
      var k3 = fused_attention_keys[at + places.w];
      if (k == position) {  // the cache does not contain this position yet
        k0 = fused_attention_own_words(0u, places.x);
        k1 = fused_attention_own_words(0u, places.y);
        k2 = fused_attention_own_words(0u, places.z);
        k3 = fused_attention_own_words(0u, places.w);
      }
      let dots = vec4(
        fused_attention_dot(places.x, k0),
        fused_attention_dot(places.y, k1),
        fused_attention_dot(places.z, k2),
        fused_attention_dot(places.w, k3),
      );
      let counted = select(vec4(0.0), dots, vec4(i) + vec4(0u, 1u, 2u, 3u) < vec4(ends));
      score += (counted.x + counted.y) + (counted.z + counted.w);
    }
    fused_attention_weights[lane] = score;
    workgroupBarrier();
    score += fused_attention_weights[lane ^ 128u];
    let greatest = max(m, group_max(select(softmax_lowest, score, is_used), lane));  // its barriers: all have read their score
    let weight = select(0.0, softmax_weight(score, greatest), is_used);
    let shrink = softmax_weight(m, greatest);
    fused_attention_weights[lane] = weight;
    workgroupBarrier();
    l *= shrink;
    sum0 *= shrink;
    sum1 *= shrink;
    m = greatest;
    let count = min(end - tile, 128u);
    for (var i = way; i < select(0u, count, way < ways); i += 4u * ways) {
      let values = tile + min(vec4(i) + ways * vec4(0u, 1u, 2u, 3u), vec4(count - 1u));
      let places = values * stride + vec4(kv_head * words + element);
      var v0 = fused_attention_values[places.x];
      var v1 = fused_attention_values[places.y];
      var v2 = fused_attention_values[places.z];
      var v3 = fused_attention_values[places.w];
      let own = fused_attention_own_words(128u, element);
      v0 = select(v0, own, vec4(values.x == position));
      v1 = select(v1, own, vec4(values.y == position));
      v2 = select(v2, own, vec4(values.z == position));
      v3 = select(v3, own, vec4(values.w == position));
      let w0 = fused_attention_weights[i];
      let w1 = select(0.0, fused_attention_weights[min(i + ways, 127u)], i + ways < count);
      let w2 = select(0.0, fused_attention_weights[min(i + 2u * ways, 127u)], i + 2u * ways < count);
      let w3 = select(0.0, fused_attention_weights[min(i + 3u * ways, 127u)], i + 3u * ways < count);
      l += (w0 + w1) + (w2 + w3);
      sum0 += w0 * vec4(halves(v0.x), halves(v0.y)) + w1 * vec4(halves(v1.x), halves(v1.y))
          + w2 * vec4(halves(v2.x), halves(v2.y)) + w3 * vec4(halves(v3.x), halves(v3.y));
      sum1 += w0 * vec4(halves(v0.z), halves(v0.w)) + w1 * vec4(halves(v1.z), halves(v1.w))
          + w2 * vec4(halves(v2.z), halves(v2.w)) + w3 * vec4(halves(v3.z), halves(v3.w));
    }
    workgroupBarrier();  // the weights have been read
  }
  fused_attention_sums[lane] = l;
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
    var sum = 0.0;
    for (var i = 0u; i < ways; i++) {
      sum += fused_attention_sums[i * words];
    }
    fused_attention_partials[out + p.head_dim + 1u] = sum;
  }
}
