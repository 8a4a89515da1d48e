// half_portable: two binary16 of a word as binary32, the low half first. Normal values exactly; subnormal ones may become 0.
// Alternative: half_f16.

fn halves(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}
