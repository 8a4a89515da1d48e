// sample: a token sampled from the logits at a temperature, among the top_k most probable tokens and the
// smallest set that reaches top_p.
//
//   1. Tokens are ranked by logit, the largest first, equals by id, the lowest first.
//   2. The first top_k of them are kept; 0 keeps all.
//   3. w = exp((logit - largest) / temperature), in binary32, no exponent below -87.
//   4. Of those kept, the fewest first ones are kept whose w make at least top_p of the sum of w; at least one, all if
//      top_p >= 1.
//   5. u = (philox >> 8) * 2^-24, philox being the first word of Philox4x32-10 with counter (position, 0, 0, 0) and key
//      (seed low, seed high); position is that of the token to be chosen.
//   6. The token is the lowest id, among those kept, for which the sum of w over all kept ids up to it exceeds u times
//      their sum.
// A temperature below 2^-60 takes the first of the ranking. The result becomes tokens(0) and state[2]; state[0] += state[1],
// state[1] = 1, state[3] += 1.
//
// Bindings, group 0: logits f32[vocab], sampling u32[64] (temperature as f32 bits, top_k, top_p as f32 bits, seed low, seed high),
//   state u32[64], tokens u32[tokens]
// Threads: one workgroup of 256. A rank's logit is found from its bits in an order-preserving form, four bits per pass over the
// logits: each pass measures (counts, or sums w of) the values at or above 16 thresholds.

struct SampleParameters {
  vocab: u32,
}

@group(0) @binding(0) var<storage, read> sample_logits: array<f32>;
@group(0) @binding(1) var<storage, read> sample_sampling: array<u32>;
@group(0) @binding(2) var<storage, read_write> sample_state: array<u32>;
@group(0) @binding(3) var<storage, read_write> sample_tokens: array<u32>;
@group(1) @binding(0) var<uniform> sample_parameters: SampleParameters;

var<workgroup> sample_above: array<f32, 256>;
var<workgroup> sample_equal: array<u32, 256>;
var<workgroup> sample_chosen: u32;

// Measure of a pass: 1 for each token, or its weight.
struct SampleMeasure {
  by_weight: bool,
  half_greatest: f32,  // half of the largest logit
  temperature: f32,
  floor: u32,  // keys below it measure 0
}

// A threshold in the ranking: all keys above `key`, and the first `ties` tokens that have it.
struct SampleCut {
  key: u32,
  ties: f32,
}

// Bits that compare as the logits do; -0 and 0 are equal.
fn sample_key(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) != 0u);
}

// The logit of a key; of keys below those of all logits, the lowest of them.
fn sample_logit(key: u32) -> f32 {
  return bitcast<f32>(max(key, 0x00800000u) ^ select(0xffffffffu, 0x80000000u, (key >> 31u) != 0u));
}

// Scaled by powers of two, so that neither the difference nor 87 times the temperature overflows, and the divisor is at
// most 2^64.
fn sample_weight(logit: f32, how: SampleMeasure) -> f32 {
  let power = select(1.0, 0x1p-64, how.temperature >= 0x1p+64);
  let divisor = power * how.temperature;
  let half = power * (0.5 * logit - how.half_greatest);
  return exp(2.0 * (max(half, -43.5 * divisor) / divisor));
}

// How many ties of one weight make at least `rest`: 1 to `most`.
fn sample_ties(rest: f32, weight: f32, most: f32) -> f32 {
  return clamp(ceil(min(rest, most * weight) / weight), 1.0, most);
}

fn sample_measured(logit: f32, key: u32, how: SampleMeasure) -> f32 {
  if (how.by_weight) {
    return select(0.0, sample_weight(logit, how), key >= how.floor);
  }
  return 1.0;
}

// Measure of all keys above `key`, or at or above it. Needs uniform control flow.
fn sample_total(key: u32, or_equal: bool, how: SampleMeasure, lane: u32) -> f32 {
  var sum = 0.0;
  for (var id = lane; id < sample_parameters.vocab; id += 256u) {
    let logit = sample_logits[id];
    let own = sample_key(logit);
    sum += select(0.0, sample_measured(logit, own, how), own > key || (or_equal && own == key));
  }
  return group_sum(sum, lane);
}

// The largest key whose measure, with all above it, is at least goal. Needs uniform control flow.
fn sample_search(goal: f32, how: SampleMeasure, lane: u32) -> u32 {
  var found = 0u;
  for (var shift = 28u; shift < 32u; shift -= 4u) {
    let a = found + (vec4(0u, 1u, 2u, 3u) << vec4(shift));
    let b = a + (4u << shift);
    let c = b + (4u << shift);
    let d = c + (4u << shift);
    var sum_a = vec4(0.0);
    var sum_b = vec4(0.0);
    var sum_c = vec4(0.0);
    var sum_d = vec4(0.0);
    for (var id = lane; id < sample_parameters.vocab; id += 256u) {
      let logit = sample_logits[id];
      let key = sample_key(logit);
      let v = vec4(sample_measured(logit, key, how));
      sum_a += select(vec4(0.0), v, vec4(key) >= a);
      sum_b += select(vec4(0.0), v, vec4(key) >= b);
      sum_c += select(vec4(0.0), v, vec4(key) >= c);
      sum_d += select(vec4(0.0), v, vec4(key) >= d);
    }
    var digit = 0u;  // the measure falls as the threshold rises, so those that reach the goal come first
    for (var i = 1u; i < 16u; i++) {
      let low = select(sum_a[i & 3u], sum_b[i & 3u], i >= 4u);
      let high = select(sum_c[i & 3u], sum_d[i & 3u], i >= 12u);
      digit += select(0u, 1u, group_sum(select(low, high, i >= 8u), lane) >= goal);
    }
    found += digit << shift;
  }
  return found;
}

// The tokens that top_k keeps. Needs uniform control flow.
fn sample_top_k(top_k: u32, how: SampleMeasure, lane: u32) -> SampleCut {
  if (top_k == 0u || top_k >= sample_parameters.vocab) {
    return SampleCut(0u, 0.0);
  }
  let counted = SampleMeasure(false, 0.0, 1.0, 0u);
  let key = sample_search(f32(top_k), counted, lane);
  return SampleCut(key, f32(top_k) - sample_total(key, false, counted, lane));
}

// The tokens that top_p keeps of the tokens that `cut` keeps. Needs uniform control flow.
fn sample_top_p(top_p: f32, cut: SampleCut, given: SampleMeasure, lane: u32) -> SampleCut {
  if (top_p >= 1.0) {
    return cut;
  }
  var how = given;
  how.floor = cut.key + 1u;
  let above = sample_total(cut.key, false, how, lane);
  let tie = sample_weight(sample_logit(cut.key), how);
  let goal = max(top_p * (above + select(0.0, cut.ties * tie, cut.ties > 0.0)), 1e-30);
  let key = sample_search(goal, how, lane);
  let rest = goal - sample_total(key, false, how, lane);
  if (above < goal) {  // not even all above the ties of top_k: some of those ties
    return SampleCut(cut.key, sample_ties(goal - above, tie, max(cut.ties, 1.0)));
  }
  return SampleCut(key, sample_ties(rest, sample_weight(sample_logit(key), how), f32(sample_parameters.vocab)));
}

// High and low word of a product.
fn sample_product(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}

// First word of Philox4x32-10.
fn sample_philox(position: u32, seed: vec2<u32>) -> u32 {
  var counter = vec4(position, 0u, 0u, 0u);
  var key = seed;
  for (var i = 0u; i < 10u; i++) {
    let x = sample_product(0xd2511f53u, counter.x);
    let z = sample_product(0xcd9e8d57u, counter.z);
    counter = vec4(z.x ^ counter.y ^ key.x, z.y, x.x ^ counter.w ^ key.y, x.y);
    key += vec2(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter.x;
}

// Writes the token sampled from the tokens that `cut` keeps to sample_chosen. Needs uniform control flow.
// An invocation has a run of ids.
fn sample_draw(u: f32, cut: SampleCut, how: SampleMeasure, lane: u32) {
  let vocab = sample_parameters.vocab;
  let share = (vocab + 255u) / 256u;
  let first = min(lane * share, vocab);
  let end = min(first + share, vocab);
  var above = 0.0;
  var equal = 0u;
  for (var id = first; id < end; id++) {
    let key = sample_key(sample_logits[id]);
    above += select(0.0, sample_weight(sample_logits[id], how), key > cut.key);
    equal += select(0u, 1u, key == cut.key);
  }
  sample_above[lane] = above;
  sample_equal[lane] = equal;
  workgroupBarrier();
  if (lane == 0u) {
    let tie = select(0.0, sample_weight(sample_logit(cut.key), how), cut.ties > 0.0);
    let ties = u32(min(cut.ties, 16777216.0));
    var sum = 0.0;
    var seen = 0u;
    for (var i = 0u; i < 256u; i++) {
      sum += sample_above[i] + tie * f32(min(sample_equal[i], ties - min(seen, ties)));
      seen += sample_equal[i];
    }
    // The same sums again, up to the run that holds the token, then token by token.
    let aim = u * sum;
    var before = 0.0;
    var run = 0u;
    seen = 0u;
    for (var i = 0u; i < 256u; i++) {
      let next = before + (sample_above[i] + tie * f32(min(sample_equal[i], ties - min(seen, ties))));
      if (next > aim) {
        run = i;
        break;
      }
      before = next;
      seen += sample_equal[i];
    }
    var chosen = 0u;
    for (var id = run * share; id < min(run * share + share, vocab); id++) {
      let key = sample_key(sample_logits[id]);
      let is_kept = key > cut.key || (key == cut.key && seen < ties);
      seen += select(0u, 1u, key == cut.key);
      if (is_kept) {
        chosen = id;  // the last of the run where rounding leaves none above the aim
        before += sample_weight(sample_logits[id], how);
        if (before > aim) {
          break;
        }
      }
    }
    sample_chosen = chosen;
  }
}

@compute @workgroup_size(256)
fn sample(@builtin(local_invocation_index) lane: u32) {
  let vocab = sample_parameters.vocab;
  let temperature = bitcast<f32>(sample_sampling[0]);
  let is_greedy = temperature < 0x1p-60;
  var most = softmax_lowest;
  for (var id = lane; id < vocab; id += 256u) {
    most = max(most, sample_logits[id]);
  }
  let greatest = group_max(most, lane);
  let half_greatest = group_max(0.5 * most, lane);  // not 0.5 * greatest: a compiler could subtract before it halves
  let how = SampleMeasure(true, half_greatest, select(temperature, 1.0, is_greedy), 0u);
  var cut = SampleCut(sample_key(greatest), 1.0);
  if (!is_greedy) {
    cut = sample_top_k(sample_sampling[1], how, lane);
    cut = sample_top_p(bitcast<f32>(sample_sampling[2]), cut, how, lane);
  }
  let position = sample_state[0] + sample_state[1];
  let random = sample_philox(position, vec2(sample_sampling[3], sample_sampling[4]));
  sample_draw(f32(random >> 8u) * 0x1p-24, cut, how, lane);
  if (lane == 0u) {
    sample_tokens[0] = sample_chosen;
    sample_state[0] += sample_state[1];
    sample_state[1] = 1u;
    sample_state[2] = sample_chosen;
    sample_state[3] += 1u;
  }
}
