// fused_gate_up: the norm before the FFN, INT8 rounding, gate and up, and the activation function, of one token.
//
//   hidden(r) = act(W_r . q) * (W_(size + r) . q),  q = int8(norm(x, ffn_norm))                                    (DEC-12)
//   peaks(g) = max |hidden| of workgroup g, for the rounding of what follows
//
// Bindings, group 0: packed, scale, zero_point (fused_product); x, weight, stats (fused_norm); hidden f32[size]; peaks f32[grid].
// size is a multiple of 64. flags: 1 symmetric, 2 gelu (else silu).
// Threads: grid.x = size / 32: a workgroup takes 32 rows of gate and the same of up, an invocation two of each.

struct FusedGateUp {
  size: u32,
  cols: u32,
  stats: u32,
  flags: u32,
  eps: f32,
}

@group(0) @binding(6) var<storage, read_write> fused_gate_up_hidden: array<f32>;
@group(0) @binding(7) var<storage, read_write> fused_gate_up_peaks: array<f32>;
@group(1) @binding(0) var<uniform> fused_gate_up_parameters: FusedGateUp;

@compute @workgroup_size(256)
fn fused_gate_up(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let p = fused_gate_up_parameters;
  let blocks = p.cols / 64u;
  let symmetric = (p.flags & 1u) != 0u;
  let i = vec2(group.x >> 1u, (p.size >> 6u) + (group.x >> 1u));
  let rows = 128u * blocks * i + vec2(32u * (group.x & 1u) + (lane & 15u));
  let at = rows.xxyy + vec4(0u, 16u, 0u, 16u);
  let first = fused_load_four(at, i, lane >> 4u, blocks, symmetric);
  let second = fused_load_four(at, i, (lane >> 4u) + 16u, blocks, symmetric);
  let s = fused_norm_load(p.cols, p.stats, p.eps, lane);
  let sum = fused_four(at, i, blocks, symmetric, lane, first, second);
  let total = s * fused_total_four(sum, lane);
  fused_scratch[lane] = total;  // 32 rows of gate, then 32 of up
  workgroupBarrier();
  var value = 0.0;
  if (lane < 32u) {
    var gate = vec4(total);
    if ((p.flags & 2u) != 0u) {
      gate = activate_gelu(gate);
    } else {
      gate = activate_silu(gate);
    }
    value = gate.x * fused_scratch[32u + lane];
    fused_gate_up_hidden[32u * group.x + lane] = value;
  }
  workgroupBarrier();  // up has been read
  let peak = fused_reduce(vec2(0.0, abs(value)), lane).y;
  if (lane == 0u) {
    fused_gate_up_peaks[group.x] = peak;
  }
}
