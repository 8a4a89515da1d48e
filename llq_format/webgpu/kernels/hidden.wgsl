// hidden: the result of gated_int8, rounded to INT8 as the input of the down product (ACT-2), of one token.
//
// Bindings, group 0: hidden f32[cols], peaks f32[count], codes u32[blocks, 16], sums i32[blocks], scales f32[1] (vector_int8).
// cols is a multiple of 64.
// Threads: several workgroups of 256 (grid.y) share the blocks of the vector, and each finds the largest peak.

struct HiddenParameters {
  cols: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> hidden_values: array<f32>;
@group(0) @binding(1) var<storage, read> hidden_peaks: array<f32>;
@group(0) @binding(2) var<storage, read_write> hidden_codes: array<u32>;
@group(0) @binding(3) var<storage, read_write> hidden_sums: array<i32>;
@group(0) @binding(4) var<storage, read_write> hidden_scales: array<f32>;
@group(1) @binding(0) var<uniform> hidden_parameters: HiddenParameters;

// The columns of a word of the vector; any beyond the last.
fn hidden_four(word: u32) -> vec4<f32> {
  let c = min(vector_int8_column(word), hidden_parameters.cols - 13u);
  return vec4(hidden_values[c], hidden_values[c + 4u], hidden_values[c + 8u], hidden_values[c + 12u]);
}

// Four peaks, 256 apart; the last in place of those beyond it.
fn hidden_four_peaks(first: u32) -> vec4<f32> {
  let at = min(vec4(first) + vec4(0u, 256u, 512u, 768u), vec4(hidden_parameters.count - 1u));
  return vec4(hidden_peaks[at.x], hidden_peaks[at.y], hidden_peaks[at.z], hidden_peaks[at.w]);
}

@compute @workgroup_size(256)
fn hidden_int8(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = hidden_parameters;
  var values = hidden_four(256u * group.y + lane);  // loaded before they are needed
  var most = vec4(0.0);
  for (var i = lane; i < p.count; i += 2048u) {
    most = max(most, max(hidden_four_peaks(i), hidden_four_peaks(i + 1024u)));
  }
  let largest = group_max(max(max(most.x, most.y), max(most.z, most.w)), lane);
  let inverse = vector_int8_inverse(largest);
  let words = p.cols / 4u;
  var turn = 0u;
  for (var first = 256u * group.y; first < words; first += 256u * groups.y) {
    let word = first + lane;
    let codes = vector_int8_codes(values, inverse);
    values = hidden_four(word + 256u * groups.y);
    let sum = vector_int8_block_sum(codes, lane, turn);
    turn++;
    if (word < words) {
      hidden_codes[word] = vector_int8_word(codes);
      if ((lane & 15u) == 0u) {
        hidden_sums[word >> 4u] = sum;
      }
    }
  }
  if (lane == 0u && group.y == 0u) {
    hidden_scales[0] = vector_int8_scale(largest);
  }
}
