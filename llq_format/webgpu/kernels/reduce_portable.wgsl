// reduce_portable: sum and largest of one value of each of 256 invocations, in every invocation.
//
// 256 pairs in workgroup memory; 16 invocations reduce 16 of them each; every invocation reduces those 16. The order is fixed,
// so results repeat. A call needs no barrier before it: `reduce_parts` is read by invocations below 16 only between the two
// barriers, and `reduce_rows` is written only after the first barrier of the next call. Alternative: reduce_subgroups.

var<workgroup> reduce_parts: array<vec2<f32>, 256>;
var<workgroup> reduce_rows: array<vec2<f32>, 16>;

fn reduce_both(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2(a.x + b.x, max(a.y, b.y));
}

// (sum of pair.x, largest pair.y) of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum_and_max(pair: vec2<f32>, lane: u32) -> vec2<f32> {
  reduce_parts[lane] = pair;
  workgroupBarrier();
  if (lane < 16u) {
    var part = reduce_parts[lane];
    for (var i = 1u; i < 16u; i++) {
      part = reduce_both(part, reduce_parts[16u * i + lane]);
    }
    reduce_rows[lane] = part;
  }
  workgroupBarrier();
  var total = reduce_rows[0];
  for (var i = 1u; i < 16u; i++) {
    total = reduce_both(total, reduce_rows[i]);
  }
  return total;
}

// Sum of v over the workgroup.
fn group_sum(v: f32, lane: u32) -> f32 {
  return group_sum_and_max(vec2(v, 0.0), lane).x;
}

// Greatest v of the workgroup.
fn group_max(v: f32, lane: u32) -> f32 {
  return group_sum_and_max(vec2(0.0, v), lane).y;
}
