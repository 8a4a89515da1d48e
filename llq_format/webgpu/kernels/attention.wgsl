// attention: scores, softmax and weighted sum of values of one head, one position and one split of its context (flash-decode).
//
//   s_k = q.k;  m = max s_k;  l = sum of exp(s_k - m);  o(d) = sum of exp(s_k - m) v_k(d), over the k of the split
//
// Position i attends to 0..i, or from the start of its chunk of chunk_size positions (DEC-10). Of these positions, split s takes
// the s-th of `splits` runs of equal length (the last ones may be shorter or empty). combine joins the splits.
// Bindings, group 0: q f32[tokens, heads, head_dim] (already times head_dim^-1/2), keys and values [context, kv_heads, head_dim],
//   binary16 pairs or f32, state u32[64], partials f32[tokens, heads, splits, head_dim + 2] (o, m, l; l is 0 of an empty split)
// Threads: grid.x = head, grid.y = split, grid.z = token. A tile is 256 positions, or 128, 64 or 32 where the run is as short:
// 1, 2, 4 or 8 invocations compute the score of one; then each takes a pair of elements and every n-th position of the tile,
// n = 256 / (head_dim / 2). Heads wider than 512 are processed in slices of 512 elements, each with all scores.

struct AttentionParameters {
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  splits: u32,
  chunk_size: u32,
  kv_f16: u32,
}

@group(0) @binding(0) var<storage, read> attention_q: array<f32>;
@group(0) @binding(1) var<storage, read> attention_keys: array<u32>;
@group(0) @binding(2) var<storage, read> attention_values: array<u32>;
@group(0) @binding(3) var<storage, read> attention_state: array<u32>;
@group(0) @binding(4) var<storage, read_write> attention_partials: array<f32>;
@group(1) @binding(0) var<uniform> attention_parameters: AttentionParameters;

var<workgroup> attention_query: array<vec2<f32>, 256>;
var<workgroup> attention_parts: array<f32, 256>;
var<workgroup> attention_weights: array<f32, 256>;
var<workgroup> attention_sums: array<vec2<f32>, 256>;

// Sum of q.k over every `step`-th of `count` pairs of elements, of the key whose first pair there has index `pair` in the cache.
fn attention_score(pair: u32, count: u32, begin: u32, step: u32) -> f32 {
  var sum = vec2(0.0);
  if (attention_parameters.kv_f16 != 0u) {
    for (var i = begin; i < count; i += step) {
      sum += attention_query[i] * halves(attention_keys[pair + i]);
    }
  } else {
    for (var i = begin; i < count; i += step) {
      let at = 2u * (pair + i);
      sum += attention_query[i] * bitcast<vec2<f32>>(vec2(attention_keys[at], attention_keys[at + 1u]));
    }
  }
  return sum.x + sum.y;
}

fn attention_value(pair: u32) -> vec2<f32> {
  if (attention_parameters.kv_f16 != 0u) {
    return halves(attention_values[pair]);
  }
  return bitcast<vec2<f32>>(vec2(attention_values[2u * pair], attention_values[2u * pair + 1u]));
}

// The score of a position from the parts that its invocations hold, valid in invocations below 256 / step. Needs uniform control
// flow. The next call may follow once group_max has been called.
fn attention_join(part: f32, step: u32, lane: u32) -> f32 {
  attention_parts[lane] = part;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < step; i++) {
    sum += attention_parts[min(lane * step + i, 255u)];
  }
  return sum;
}

// Puts up to 256 pairs of the query in workgroup memory. Needs uniform control flow; ends with a barrier.
fn attention_load(first: u32, count: u32, lane: u32) {
  if (lane < count) {
    attention_query[lane] = vec2(attention_q[2u * (first + lane)], attention_q[2u * (first + lane) + 1u]);
  }
  workgroupBarrier();
}

@compute @workgroup_size(256)
fn attention(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = attention_parameters;
  let head = group.x;
  let pairs = p.head_dim >> 1u;
  let q_first = (group.z * p.heads + head) * pairs;
  let position = attention_state[0] + group.z;
  let start = select(0u, position - position % max(p.chunk_size, 1u), p.chunk_size != 0u);
  let run = (position - start + p.splits) / p.splits;  // ceil of (position + 1 - start) / splits
  let first = min(start + group.y * run, position + 1u);
  let end = min(first + run, position + 1u);
  let stride = p.kv_heads * pairs;
  let kv_first = head * p.kv_heads / p.heads * pairs;
  let out = ((group.z * p.heads + head) * p.splits + group.y) * (p.head_dim + 2u);
  let fold = select(0u, 1u, run <= 128u) + select(0u, 1u, run <= 64u) + select(0u, 1u, run <= 32u);
  let step = 1u << fold;
  let length = 256u >> fold;
  attention_load(q_first, min(pairs, 256u), lane);

  for (var slice = 0u; slice < pairs; slice += 256u) {
    let width = min(pairs - slice, 256u);
    let ways = 256u / width;
    let way = lane / width;
    let pair = kv_first + slice + lane % width;
    var m = softmax_lowest;
    var l = 0.0;
    var sum = vec2(0.0);
    for (var tile = first; tile < end; tile += length) {
      let key = min(tile + (lane >> fold), end - 1u) * stride + kv_first;
      var score = 0.0;
      if (pairs <= 256u) {
        score = attention_score(key, pairs, lane & (step - 1u), step);
      } else {
        for (var part = 0u; part < pairs; part += 256u) {
          attention_load(q_first + part, min(pairs - part, 256u), lane);
          score += attention_score(key + part, min(pairs - part, 256u), lane & (step - 1u), step);
          workgroupBarrier();  // this part of the query has been read
        }
      }
      if (fold > 0u) {
        score = attention_join(score, step, lane);
      }
      let count = min(end - tile, length);
      let is_used = lane < count;
      let greatest = max(m, group_max(select(softmax_lowest, score, is_used), lane));
      let weight = select(0.0, softmax_weight(score, greatest), is_used);
      let shrink = softmax_weight(m, greatest);
      attention_weights[lane] = weight;  // the tile before has been read: group_max has a barrier
      workgroupBarrier();
      l = l * shrink + weight;
      sum *= shrink;
      m = greatest;
      for (var i = way; i < select(0u, count, way < ways); i += ways) {
        sum += attention_weights[i] * attention_value((tile + i) * stride + pair);
      }
    }
    attention_sums[lane] = sum;
    let total_l = group_sum(l, lane);  // its barriers make the sums visible
    if (lane < width) {
      var total = vec2(0.0);
      for (var i = 0u; i < ways; i++) {
        total += attention_sums[i * width + lane];
      }
      attention_partials[out + 2u * (slice + lane)] = total.x;
      attention_partials[out + 2u * (slice + lane) + 1u] = total.y;
    }
    workgroupBarrier();  // the sums have been read
    if (lane == 0u) {
      attention_partials[out + p.head_dim] = m;
      attention_partials[out + p.head_dim + 1u] = total_l;
    }
  }
}
