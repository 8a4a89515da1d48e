// choose: the token of the largest logit, the lowest id among equals (GEN-1), in two dispatches.
//
//   argmax: candidates(g) = (bits of the largest logit, its id) of share g of 64
//   choose: the best candidate becomes tokens(0) and state[2]; state[0] += state[1], state[1] = 1, state[3] += 1
//
// Bindings, group 0: argmax: logits f32[vocab], candidates u32[64, 2]; choose: candidates, state u32[64], tokens u32[tokens]
// Threads: argmax: grid.x = 64, share g holds ids i with (i / 256) % 64 = g; choose: one workgroup of 64.

struct ChooseParameters {
  vocab: u32,
}

@group(0) @binding(0) var<storage, read> choose_logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> choose_candidates: array<vec2<u32>>;
@group(0) @binding(0) var<storage, read> choose_given: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> choose_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> choose_tokens: array<u32>;
@group(1) @binding(0) var<uniform> choose_parameters: ChooseParameters;

var<workgroup> choose_values: array<f32, 256>;
var<workgroup> choose_ids: array<u32, 256>;

// Writes the best of the workgroup's first 2 * half values and ids in slot 0. Needs uniform control flow.
fn choose_reduce(half: u32, lane: u32) {
  workgroupBarrier();
  for (var distance = half; distance > 0u; distance >>= 1u) {
    if (lane < distance) {
      let other = choose_values[lane + distance];
      let id = choose_ids[lane + distance];
      if (other > choose_values[lane] || (other == choose_values[lane] && id < choose_ids[lane])) {
        choose_values[lane] = other;
        choose_ids[lane] = id;
      }
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(256)
fn argmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let vocab = choose_parameters.vocab;
  var best = -3.4e38;
  var best_id = 0xffffffffu;
  for (var id = 256u * group.x + lane; id < vocab; id += 16384u) {
    let logit = choose_logits[id];
    if (logit > best || best_id == 0xffffffffu) {
      best = logit;
      best_id = id;
    }
  }
  choose_values[lane] = best;
  choose_ids[lane] = best_id;
  choose_reduce(128u, lane);
  if (lane == 0u) {
    choose_candidates[group.x] = vec2(bitcast<u32>(choose_values[0]), choose_ids[0]);
  }
}

@compute @workgroup_size(64)
fn choose(@builtin(local_invocation_index) lane: u32) {
  let candidate = choose_given[lane];
  choose_values[lane] = bitcast<f32>(candidate.x);
  choose_ids[lane] = candidate.y;
  choose_reduce(32u, lane);
  if (lane == 0u) {
    let id = choose_ids[0];
    choose_tokens[0] = id;
    choose_state[0] += choose_state[1];
    choose_state[1] = 1u;
    choose_state[2] = id;
    choose_state[3] += 1u;
  }
}
