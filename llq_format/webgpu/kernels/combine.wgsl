// combine: the heads' outputs from the splits' partial results, rounded as the input of the output matmul.
//
//   m = max m_s;  l = sum of l_s exp(m_s - m);  value(head, d) = sum of o_s(d) exp(m_s - m) / l
//
// Bindings, group 0: partials f32[tokens, heads, splits, head_dim + 2] (o unnormalised, then m, then l; m = -3.4e38, l = 0 and
//   any finite o of an empty split), then
//   combine_int8:     codes u32[tokens, blocks_stride, 16], sums i32[tokens, blocks_stride], scales f32[tokens]
//   combine_binary16: rounded f32[tokens, blocks_stride * 64], rounded_sums f32[tokens, blocks_stride]
// Threads: one or several workgroups of 256 a token (grid.x); several (grid.y) share the blocks of the vector, and each looks for
// the greatest in all of it. First the factors of all splits of all heads, in workgroup memory, then passes over the columns;
// where heads * splits exceeds 2048 each column computes its own. Columns beyond heads * head_dim, up to the end of the block,
// are zero.

struct CombineParameters {
  heads: u32,
  head_dim: u32,
  splits: u32,
  blocks_stride: u32,
}

@group(0) @binding(0) var<storage, read> combine_partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> combine_codes: array<u32>;
@group(0) @binding(2) var<storage, read_write> combine_sums: array<i32>;
@group(0) @binding(3) var<storage, read_write> combine_scales: array<f32>;
@group(0) @binding(1) var<storage, read_write> combine_rounded: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> combine_rounded_sums: array<f32>;
@group(1) @binding(0) var<uniform> combine_parameters: CombineParameters;

var<workgroup> combine_factors: array<f32, 2048>;

// The greatest m of a head, and 1 / l of all its splits together; `first` is the index of its first split.
fn combine_softmax(first: u32) -> vec2<f32> {
  let p = combine_parameters;
  let stride = p.head_dim + 2u;
  var m = -3.4e38;
  for (var s = 0u; s < p.splits; s++) {
    m = max(m, combine_partials[(first + s) * stride + p.head_dim]);
  }
  var l = 0.0;
  for (var s = 0u; s < p.splits; s++) {
    l += combine_partials[(first + s) * stride + p.head_dim + 1u] * combine_factor(first + s, vec2(m, 1.0));
  }
  return vec2(m, 1.0 / l);
}

// exp(m_s - m) / l of one split; 0 of an empty one.
fn combine_factor(split: u32, softmax: vec2<f32>) -> f32 {
  let p = combine_parameters;
  let m = combine_partials[split * (p.head_dim + 2u) + p.head_dim];
  return select(0.0, exp(max(m, softmax.x - 87.0) - softmax.x) * softmax.y, m > -3.3e38);
}

fn combine_fits() -> bool {
  return combine_parameters.heads * combine_parameters.splits <= 2048u;
}

// The factors of up to four splits of a head, asked for together; 0 beyond the last.
fn combine_four(first: u32) -> vec4<f32> {
  let p = combine_parameters;
  let numbers = vec4(0u, 1u, 2u, 3u);
  let stride = p.head_dim + 2u;
  let at = (vec4(first) + min(numbers, vec4(p.splits - 1u))) * stride + vec4(p.head_dim);
  let m = vec4(combine_partials[at.x], combine_partials[at.y], combine_partials[at.z], combine_partials[at.w]);
  let next = at + vec4(1u);
  let l = vec4(combine_partials[next.x], combine_partials[next.y], combine_partials[next.z], combine_partials[next.w]);
  let greatest = max(max(m.x, m.y), max(m.z, m.w));
  let counts = (numbers < vec4(p.splits)) & (m > vec4(-3.3e38));
  let weights = select(vec4(0.0), exp(max(m, vec4(greatest - 87.0)) - greatest), counts);
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

// The heads of columns: a product, for dividing integers is slow; exact below 2^20 columns.
fn combine_head(columns: vec4<u32>) -> vec4<u32> {
  return vec4<u32>((vec4<f32>(columns) + 0.5) * (1.0 / f32(combine_parameters.head_dim)));
}

// Columns column, column + distance, ...: of four splits at a time, so that their loads are under way together.
fn combine_values(t: u32, column: u32, distance: u32) -> vec4<f32> {
  let p = combine_parameters;
  let c = vec4(column) + distance * vec4(0u, 1u, 2u, 3u);
  let at = min(c, vec4(p.heads * p.head_dim - 1u));
  let head = combine_head(at);
  let split = (t * p.heads + head) * p.splits;
  let stride = p.head_dim + 2u;
  let place = split * stride + at - head * p.head_dim;
  var v = vec4(0.0);
  if (p.splits <= 4u && p.heads <= 512u) {
    let last = p.splits - 1u;
    let o1 = place + min(1u, last) * stride;
    let o2 = place + min(2u, last) * stride;
    let o3 = place + min(3u, last) * stride;
    let p0 = vec4(combine_partials[place.x], combine_partials[place.y], combine_partials[place.z], combine_partials[place.w]);
    let p1 = vec4(combine_partials[o1.x], combine_partials[o1.y], combine_partials[o1.z], combine_partials[o1.w]);
    let p2 = vec4(combine_partials[o2.x], combine_partials[o2.y], combine_partials[o2.z], combine_partials[o2.w]);
    let p3 = vec4(combine_partials[o3.x], combine_partials[o3.y], combine_partials[o3.z], combine_partials[o3.w]);
    let f = 4u * head;
    v = p0 * vec4(combine_factors[f.x], combine_factors[f.y], combine_factors[f.z], combine_factors[f.w])
        + p1 * vec4(combine_factors[f.x + 1u], combine_factors[f.y + 1u], combine_factors[f.z + 1u], combine_factors[f.w + 1u])
        + p2 * vec4(combine_factors[f.x + 2u], combine_factors[f.y + 2u], combine_factors[f.z + 2u], combine_factors[f.w + 2u])
        + p3 * vec4(combine_factors[f.x + 3u], combine_factors[f.y + 3u], combine_factors[f.z + 3u], combine_factors[f.w + 3u]);
  } else if (combine_fits()) {
    for (var s = 0u; s < p.splits; s++) {
      let o = place + s * stride;
      let partials = vec4(combine_partials[o.x], combine_partials[o.y], combine_partials[o.z], combine_partials[o.w]);
      let f = head * p.splits + s;
      v += partials * vec4(combine_factors[f.x], combine_factors[f.y], combine_factors[f.z], combine_factors[f.w]);
    }
  } else {
    for (var k = 0u; k < 4u; k++) {
      let softmax = combine_softmax(split[k]);
      for (var s = 0u; s < p.splits; s++) {
        v[k] += combine_partials[place[k] + s * stride] * combine_factor(split[k] + s, softmax);
      }
    }
  }
  return select(vec4(0.0), v, c < vec4(p.heads * p.head_dim));
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
  var values = combine_values(t, vector_int8_column(256u * group.y + lane), 4u);  // asked for before they are needed
  var most = vec4(0.0);
  for (var c = lane; c < columns; c += 2048u) {
    let a = abs(combine_values(t, c, 256u));
    let b = abs(combine_values(t, c + 1024u, 256u));
    most = max(most, max(a, b));
  }
  let largest = group_max(max(max(most.x, most.y), max(most.z, most.w)), lane);
  let inverse = vector_int8_inverse(largest);
  var turn = 0u;
  for (var first = 256u * group.y; first < words; first += 256u * groups.y) {
    let word = first + lane;
    let codes = vector_int8_codes(values, inverse);
    if (word + 256u * groups.y < words) {
      values = combine_values(t, vector_int8_column(word + 256u * groups.y), 4u);
    }
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
    let v = vector_binary16_rounded(combine_values(t, 4u * quad, 1u));
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
