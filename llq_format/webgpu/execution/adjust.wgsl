// adjust: biases, repetition penalty, mask and min_p, applied to logits before a choice (LLQ-GEN-11). The kernel belongs to the
// executor and not to a package: it changes `logits` and `sampling` so that passes `greedy` and `sample` choose the right token.
//
//   1. z = logit + bias; where the sequence contains the id, z / penalty above 0, and z · penalty otherwise.
//   2. An id that the mask excludes gets the lowest number, which no other id has.
//   3. At a temperature of at least 2^-60, an id whose weight is below min_p gets the lowest number too. This applies if half
//      of its distance from the maximum is below `half_distance`, half of temperature · ln(min_p).
//   4. top_k becomes the number of ids that are left, if that is less.
//   5. top_p becomes top_p · (weights that top_k keeps) / (weights that are left): pass `sample` adds the latter alone.
//
// Bindings: logits f32[vocab], sampling u32[64], tokens u32[1], settings u32[8] (temperature as f32 bits, top_k, top_p as f32
//   bits, seed low, seed high, half_distance and penalty as f32 bits), biases f32[vocab], allowed u32[vocab / 32] (bit per id),
//   seen u32[vocab / 32] (bit per id of the sequence; tokens[0] is added: an id of the prompt, or the token chosen last)
// Threads: one workgroup of 256.

@group(0) @binding(0) var<storage, read_write> adjust_logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> adjust_sampling: array<u32>;
@group(0) @binding(2) var<storage, read> adjust_tokens: array<u32>;
@group(0) @binding(3) var<storage, read> adjust_settings: array<u32>;
@group(0) @binding(4) var<storage, read> adjust_biases: array<f32>;
@group(0) @binding(5) var<storage, read> adjust_allowed: array<u32>;
@group(0) @binding(6) var<storage, read_write> adjust_seen: array<u32>;

const adjust_lowest = -0x1.fffffep+127;
const adjust_limit = 0x1.fffffcp+127;

var<workgroup> adjust_sums: array<vec4<f32>, 256>;
var<workgroup> adjust_counts: array<u32, 256>;
var<workgroup> adjust_bins: array<atomic<u32>, 256>;
var<workgroup> adjust_found: vec2<u32>;  // key, and how many ids of this key are kept

// (sum of v.x, sum of v.y, largest v.z, largest v.w) of the workgroup. Needs uniform control flow.
fn adjust_total(v: vec4<f32>, lane: u32) -> vec4<f32> {
  adjust_sums[lane] = v;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (lane < step) {
      let a = adjust_sums[lane];
      let b = adjust_sums[lane + step];
      adjust_sums[lane] = vec4(a.xy + b.xy, max(a.zw, b.zw));
    }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&adjust_sums[0]);
}

// Sum of v over the workgroup. Needs uniform control flow.
fn adjust_count(v: u32, lane: u32) -> u32 {
  adjust_counts[lane] = v;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (lane < step) {
      adjust_counts[lane] += adjust_counts[lane + step];
    }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&adjust_counts[0]);
}

// Bits that compare as the logits do; -0 and 0 are equal.
fn adjust_key(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) != 0u);
}

// e^((logit - maximum) / temperature), no exponent below -87; scaled so that nothing overflows.
fn adjust_weight(logit: f32, half_most: f32, temperature: f32) -> f32 {
  let power = select(1.0, 0x1p-64, temperature >= 0x1p+64);
  let divisor = power * temperature;
  return exp(2.0 * (max(power * (0.5 * logit - half_most), -43.5 * divisor) / divisor));
}

// Finds the logit at a rank, from 1: its key, and how many ids of this key belong to the ranks up to it.
// Needs uniform control flow.
fn adjust_select(vocab: u32, rank: u32, lane: u32) -> vec2<u32> {
  var prefix = 0u;
  var rest = rank;
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&adjust_bins[lane], 0u);
    workgroupBarrier();
    for (var id = lane; id < vocab; id += 256u) {
      let logit = adjust_logits[id];
      let key = adjust_key(logit);
      let fits = digit == 0u || (key >> (shift + 8u)) == (prefix >> (shift + 8u));
      if (logit > adjust_lowest && fits) {
        atomicAdd(&adjust_bins[(key >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var before = 0u;
      var bin = 255u;
      for (; bin > 0u; bin--) {
        let next = before + atomicLoad(&adjust_bins[bin]);
        if (next >= rest) {
          break;
        }
        before = next;
      }
      adjust_found = vec2(prefix | (bin << shift), rest - before);
    }
    let found = workgroupUniformLoad(&adjust_found);
    prefix = found.x;
    rest = found.y;
  }
  return vec2(prefix, rest);
}

// The sum of the weights of the first `kept` ids of the ranking. Needs uniform control flow.
fn adjust_sum_of_first(vocab: u32, kept: u32, half_most: f32, temperature: f32, lane: u32) -> f32 {
  let last = adjust_select(vocab, kept, lane);
  var sum = vec4(0.0);
  for (var id = lane; id < vocab; id += 256u) {
    let key = adjust_key(adjust_logits[id]);
    let weight = adjust_weight(adjust_logits[id], half_most, temperature);
    sum.x += select(0.0, weight, key > last.x);
    sum.z = max(sum.z, select(0.0, weight, key == last.x));
  }
  let total = adjust_total(sum, lane);
  return total.x + f32(last.y) * total.z;
}

@compute @workgroup_size(256)
fn adjust(@builtin(local_invocation_index) lane: u32) {
  let vocab = arrayLength(&adjust_logits);
  let temperature = bitcast<f32>(adjust_settings[0]);
  let half_distance = bitcast<f32>(adjust_settings[5]);
  let penalty = bitcast<f32>(adjust_settings[6]);
  if (lane == 0u) {
    adjust_seen[adjust_tokens[0] >> 5u] |= 1u << (adjust_tokens[0] & 31u);
  }
  storageBarrier();
  workgroupBarrier();

  var count = 0u;
  var most = vec4(0.0, 0.0, adjust_lowest, adjust_lowest);
  for (var id = lane; id < vocab; id += 256u) {
    var z = adjust_logits[id] + adjust_biases[id];
    let word = id >> 5u;
    let bit = 1u << (id & 31u);
    if (penalty != 1.0 && (adjust_seen[word] & bit) != 0u) {
      z = select(z * penalty, z / penalty, z > 0.0);
    }
    z = clamp(z, -adjust_limit, adjust_limit);
    if ((adjust_allowed[word] & bit) == 0u) {
      z = adjust_lowest;
    } else {
      count++;
    }
    adjust_logits[id] = z;
    most.z = max(most.z, 0.5 * z);
  }
  let half_most = adjust_total(most, lane).z;
  let allowed = adjust_count(count, lane);
  var top_k = adjust_settings[1];
  top_k = select(top_k, allowed, top_k == 0u || top_k > allowed);
  var top_p = bitcast<f32>(adjust_settings[2]);

  if (temperature >= 0x1p-60 && half_distance > adjust_lowest) {
    var kept = 0u;
    var sums = vec4(0.0);  // of all, and of those that are left
    for (var id = lane; id < vocab; id += 256u) {
      let z = adjust_logits[id];
      let is_left = z > adjust_lowest && 0.5 * z - half_most >= half_distance;
      let weight = adjust_weight(z, half_most, temperature);
      kept += select(0u, 1u, is_left);
      sums.x += select(0.0, weight, z > adjust_lowest);
      sums.y += select(0.0, weight, is_left);
    }
    let left = adjust_count(kept, lane);
    let total = adjust_total(sums, lane);
    if (left < top_k) {
      if (top_p < 1.0) {
        var of_top_k = total.x;
        if (top_k < allowed) {
          of_top_k = adjust_sum_of_first(vocab, top_k, half_most, temperature, lane);
        }
        top_p *= of_top_k / total.y;
      }
      top_k = left;
    }
    workgroupBarrier();
    for (var id = lane; id < vocab; id += 256u) {
      if (0.5 * adjust_logits[id] - half_most < half_distance) {
        adjust_logits[id] = adjust_lowest;
      }
    }
  }
  if (lane == 0u) {
    adjust_sampling[0] = adjust_settings[0];
    adjust_sampling[1] = top_k;
    adjust_sampling[2] = bitcast<u32>(top_p);
    adjust_sampling[3] = adjust_settings[3];
    adjust_sampling[4] = adjust_settings[4];
  }
}
