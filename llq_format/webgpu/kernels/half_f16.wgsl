// half_f16: two binary16 of a word as binary32, the low half first, through the type f16 (feature shader-f16).
// Normal values exactly; subnormal ones may become 0. Alternative: half_portable.

fn halves(word: u32) -> vec2<f32> {
  return vec2<f32>(bitcast<vec2<f16>>(word));
}
