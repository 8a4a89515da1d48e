// half_f16: two binary16 of a word as binary32, the low half first, if the device has the type f16 (feature shader-f16).
// Normal values exactly; subnormal ones may become 0. Alternative: half_portable.
//
// The direct form is vec2<f32>(bitcast<vec2<f16>>(word)). naga (gfx-rs/wgpu#8896, #4403) accepts it and yields the word's bits as
// one binary32, twice; so this is the built-in function until this is fixed. Both become one conversion instruction.

fn halves(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}
