//: begin step_plain
// What a word becomes, on any device.
fn step(word: u32) -> u32 {
  return (word & 255u) + 1u;
}
//: end step_plain
//: begin touch
// touch: target(i) = step(source(i))
struct TouchParameters {
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> touch_source: array<u32>;
@group(0) @binding(1) var<storage, read_write> touch_target: array<u32>;
@group(1) @binding(0) var<uniform> touch_parameters: TouchParameters;

@compute @workgroup_size(64)
fn touch(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < touch_parameters.count) {
    touch_target[id.x] = step(touch_source[id.x]);
  }
}
//: end touch
/*: begin step_packed
// The same by a language extension.
fn step(word: u32) -> u32 {
  return dot4U8Packed(word, 1u) + 1u;
}
end step_packed :*/
