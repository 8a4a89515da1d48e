// combine: the heads' outputs from the splits' partial results, rounded as the input of the output matmul.
//
//   m = max m_s;  l = sum of l_s exp(m_s - m);  value(head, d) = sum of o_s(d) exp(m_s - m) / l
//
// Bindings, group 0: partials f32[tokens, heads, splits, head_dim + 2], read in pairs (o unnormalised, then m, then l; of an empty split l = 0,
//   and o is any finite numbers), then
//   combine_int8:     codes u32[tokens, blocks_stride, 16], sums i32[tokens, blocks_stride], scales f32[tokens]
//   combine_binary16: rounded f32[tokens, blocks_stride * 64], rounded_sums f32[tokens, blocks_stride]
// Threads: one or several workgroups of 256 per token (grid.x); several (grid.y) share the blocks of the vector, and each finds
// the largest in all of it. First the factors of all splits of all heads, in workgroup memory, then passes over the columns;
// where heads * splits exceeds 2048 each column computes its own. Columns beyond heads * head_dim, up to the end of the block,
// are zero.

struct CombineParameters {
  heads: u32,
  head_dim: u32,
  splits: u32,
  blocks_stride: u32,
}

@group(0) @binding(0) var<storage, read> combine_partials: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> combine_codes: array<u32>;
@group(0) @binding(2) var<storage, read_write> combine_sums: array<i32>;
@group(0) @binding(3) var<storage, read_write> combine_scales: array<f32>;
@group(0) @binding(1) var<storage, read_write> combine_rounded: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> combine_rounded_sums: array<f32>;
@group(1) @binding(0) var<uniform> combine_parameters: CombineParameters;

var<workgroup> combine_factors: array<f32, 2048>;

// m and l of a split.
fn combine_ends(split: u32) -> vec2<f32> {
  let half = combine_parameters.head_dim >> 1u;
  return combine_partials[split * (half + 1u) + half];
}

// The largest m of a head, and 1 / l of all its splits together; `first` is the index of its first split.
fn combine_softmax(first: u32) -> vec2<f32> {
  var m = softmax_lowest;
  for (var s = 0u; s < combine_parameters.splits; s++) {
    m = max(m, combine_ends(first + s).x);
  }
  var l = 0.0;
  for (var s = 0u; s < combine_parameters.splits; s++) {
    l += combine_ends(first + s).y * combine_factor(first + s, vec2(m, 1.0));
  }
  return vec2(m, 1.0 / l);
}

// exp(m_s - m) / l of one split; 0 of an empty one.
fn combine_factor(split: u32, softmax: vec2<f32>) -> f32 {
  let ends = combine_ends(split);
  return select(0.0, softmax_weight(ends.x, softmax.x) * softmax.y, ends.y > 0.0);
}

fn combine_fits() -> bool {
  return combine_parameters.heads * combine_parameters.splits <= 2048u;
}

// The factors of up to four splits of a head, loaded together; 0 beyond the last.
fn combine_four(first: u32) -> vec4<f32> {
  let p = combine_parameters;
  let numbers = vec4(0u, 1u, 2u, 3u);
  let at = vec4(first) + min(numbers, vec4(p.splits - 1u));
  let ends = mat4x2(combine_ends(at.x), combine_ends(at.y), combine_ends(at.z), combine_ends(at.w));
  let m = vec4(ends[0].x, ends[1].x, ends[2].x, ends[3].x);
  let l = vec4(ends[0].y, ends[1].y, ends[2].y, ends[3].y);
  let greatest = max(max(m.x, m.y), max(m.z, m.w));
  let counts = (numbers < vec4(p.splits)) & (l > vec4(0.0));
  let weights = select(vec4(0.0), softmax_weights(m, greatest), counts);
  return weights / dot(l, weights);
}

// Fills combine_factors, [heads, splits] or [heads, 4], where they fit. Needs uniform control flow; ends with a barrier.
fn combine_weigh(t: u32, lane: u32) {
  let p = combine_parameters;
  for (var head = lane; head < select(0u, p.heads, combine_fits()); head += 256u) {
    let first = (t * p.heads + head) * p.splits;
    if (p.splits <= 4u && p.heads <= 512u) {
      let factors = combine_four(first);
      for (var s = 0u; s < 4u; s++) {
        combine_factors[4u * head + s] = factors[s];
      }
    } else {
      let softmax = combine_softmax(first);
      for (var s = 0u; s < p.splits; s++) {
        combine_factors[head * p.splits + s] = combine_factor(first + s, softmax);
      }
    }
  }
  workgroupBarrier();
}

// The pairs of columns at these places of the partials.
fn combine_at(places: vec4<u32>) -> mat4x2<f32> {
  return mat4x2(combine_partials[places.x], combine_partials[places.y], combine_partials[places.z], combine_partials[places.w]);
}

// Four pairs, each times the factor of its head.
fn combine_scaled(pairs: mat4x2<f32>, factors: vec4<u32>) -> mat4x2<f32> {
  return mat4x2(
    pairs[0] * combine_factors[factors.x],
    pairs[1] * combine_factors[factors.y],
    pairs[2] * combine_factors[factors.z],
    pairs[3] * combine_factors[factors.w],
  );
}

// Four pairs of columns, pair n of columns 2 n and 2 n + 1: of four splits at a time, so that their loads overlap.
// Heads are computed by a product, because dividing integers is slow. It is off by at most one from 2^20 pairs on.
fn combine_pairs(t: u32, given: vec4<u32>) -> mat4x2<f32> {
  let p = combine_parameters;
  let half = p.head_dim >> 1u;
  let pairs = min(given, vec4(p.heads * half - 1u));
  var head = vec4<u32>((vec4<f32>(pairs) + 0.5) * (1.0 / f32(half)));
  head -= select(vec4(0u), vec4(1u), head * half > pairs);
  head += select(vec4(0u), vec4(1u), (head + 1u) * half <= pairs);
  let split = (t * p.heads + head) * p.splits;
  let stride = half + 1u;
  let place = split * stride + pairs - head * half;
  var v = mat4x2<f32>();
  if (p.splits <= 4u && p.heads <= 512u) {
    let last = p.splits - 1u;
    let p0 = combine_at(place);
    let p1 = combine_at(place + min(1u, last) * stride);
    let p2 = combine_at(place + min(2u, last) * stride);
    let p3 = combine_at(place + min(3u, last) * stride);
    let f = 4u * head;
    v = (combine_scaled(p0, f) + combine_scaled(p1, f + 1u)) + (combine_scaled(p2, f + 2u) + combine_scaled(p3, f + 3u));
  } else if (combine_fits()) {
    for (var s = 0u; s < p.splits; s++) {
      v = v + combine_scaled(combine_at(place + s * stride), head * p.splits + s);
    }
  } else {
    for (var k = 0u; k < 4u; k++) {
      let softmax = combine_softmax(split[k]);
      for (var s = 0u; s < p.splits; s++) {
        v[k] += combine_partials[place[k] + s * stride] * combine_factor(split[k] + s, softmax);
      }
    }
  }
  let within = given < vec4(p.heads * half);
  return mat4x2(
    select(vec2(0.0), v[0], within.x),
    select(vec2(0.0), v[1], within.y),
    select(vec2(0.0), v[2], within.z),
    select(vec2(0.0), v[3], within.w),
  );
}

// The four columns of a word of INT8 codes.
fn combine_word(t: u32, word: u32) -> vec4<f32> {
  let column = vector_int8_column(word);
  let v = combine_pairs(t, (column >> 1u) + vec4(0u, 2u, 4u, 6u));
  let first = vec4(v[0].x, v[1].x, v[2].x, v[3].x);
  let second = vec4(v[0].y, v[1].y, v[2].y, v[3].y);
  return select(first, second, (column & 1u) == 1u);
}

fn combine_greatest(v: mat4x2<f32>) -> vec2<f32> {
  return max(max(abs(v[0]), abs(v[1])), max(abs(v[2]), abs(v[3])));
}

@compute @workgroup_size(256)
fn combine_int8(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = combine_parameters;
  let t = group.x;
  let columns = p.heads * p.head_dim;
  let words = 16u * ((columns + 63u) / 64u);
  combine_weigh(t, lane);
  var most = vec2(0.0);
  for (var pair = lane; 2u * pair < columns; pair += 2048u) {
    let a = combine_pairs(t, pair + vec4(0u, 256u, 512u, 768u));
    let b = combine_pairs(t, pair + vec4(1024u, 1280u, 1536u, 1792u));
    most = max(most, max(combine_greatest(a), combine_greatest(b)));
  }
  let largest = group_max(max(most.x, most.y), lane);
  let inverse = vector_int8_inverse(largest);
  var turn = 0u;
  for (var first = 256u * group.y; first < words; first += 256u * groups.y) {
    let word = first + lane;
    let codes = vector_int8_codes(combine_word(t, word), inverse);
    let sum = vector_int8_block_sum(codes, lane, turn);
    turn++;
    if (word < words) {
      combine_codes[t * p.blocks_stride * 16u + word] = vector_int8_word(codes);
      if ((lane & 15u) == 0u) {
        combine_sums[t * p.blocks_stride + (word >> 4u)] = sum;
      }
    }
  }
  if (lane == 0u && group.y == 0u) {
    combine_scales[t] = vector_int8_scale(largest);
  }
}

@compute @workgroup_size(256)
fn combine_binary16(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = combine_parameters;
  let t = group.x;
  let quads = 16u * ((p.heads * p.head_dim + 63u) / 64u);
  combine_weigh(t, lane);
  var turn = 0u;
  for (var first = 256u * group.y; first < quads; first += 256u * groups.y) {
    let quad = first + lane;
    let pairs = combine_pairs(t, vec4(2u * quad) + vec4(0u, 1u, 0u, 1u));
    let v = vector_binary16_rounded(vec4(pairs[0], pairs[1]));
    let sum = vector_binary16_block_sum(v, lane, turn);
    turn++;
    if (quad < quads) {
      combine_rounded[t * p.blocks_stride * 16u + quad] = v;
      if ((lane & 15u) == 0u) {
        combine_rounded_sums[t * p.blocks_stride + (quad >> 4u)] = sum;
      }
    }
  }
}
