// softmax: weights of scores of any finite size, relative to a maximum that has the weight 1.
//
//   weight = e^(score - maximum), and e^-87 where that is less: the smallest power of e that no device flushes
//
// Scores may be so large that the difference of two overflows, or that 87 less than the maximum is the maximum again.
// Half the difference does neither.

const softmax_lowest = -0x1.fffffep+127;  // no score is below it

fn softmax_weight(score: f32, maximum: f32) -> f32 {
  return exp(2.0 * max(0.5 * score - 0.5 * maximum, -43.5));
}

fn softmax_weights(scores: vec4<f32>, maximum: f32) -> vec4<f32> {
  return exp(2.0 * max(0.5 * scores - 0.5 * maximum, vec4(-43.5)));
}
