// reduce_portable: sum and greatest of one value of each of 256 invocations, in every invocation.
//
// 256 values in workgroup memory; 16 invocations reduce 16 of them each; every invocation reduces those 16. The order is fixed,
// so results repeat. A call needs no barrier before it: `reduce_parts` is read by invocations below 16 only between the two
// barriers, and `reduce_rows` is written only after the first barrier of the next call. Alternative: reduce_subgroups.

var<workgroup> reduce_parts: array<f32, 256>;
var<workgroup> reduce_rows: array<f32, 16>;
var<workgroup> reduce_pairs: array<vec2<f32>, 256>;
var<workgroup> reduce_pair_rows: array<vec2<f32>, 16>;

// Sum of v over the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum(v: f32, lane: u32) -> f32 {
  reduce_parts[lane] = v;
  workgroupBarrier();
  if (lane < 16u) {
    var part = 0.0;
    for (var i = 0u; i < 16u; i++) {
      part += reduce_parts[16u * i + lane];
    }
    reduce_rows[lane] = part;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 16u; i++) {
    total += reduce_rows[i];
  }
  return total;
}

// Greatest v of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_max(v: f32, lane: u32) -> f32 {
  reduce_parts[lane] = v;
  workgroupBarrier();
  if (lane < 16u) {
    var part = reduce_parts[lane];
    for (var i = 1u; i < 16u; i++) {
      part = max(part, reduce_parts[16u * i + lane]);
    }
    reduce_rows[lane] = part;
  }
  workgroupBarrier();
  var greatest = reduce_rows[0];
  for (var i = 1u; i < 16u; i++) {
    greatest = max(greatest, reduce_rows[i]);
  }
  return greatest;
}

// (sum of pair.x, greatest pair.y) of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum_and_max(pair: vec2<f32>, lane: u32) -> vec2<f32> {
  reduce_pairs[lane] = pair;
  workgroupBarrier();
  if (lane < 16u) {
    var part = reduce_pairs[lane];
    for (var i = 1u; i < 16u; i++) {
      let other = reduce_pairs[16u * i + lane];
      part = vec2(part.x + other.x, max(part.y, other.y));
    }
    reduce_pair_rows[lane] = part;
  }
  workgroupBarrier();
  var total = reduce_pair_rows[0];
  for (var i = 1u; i < 16u; i++) {
    total = vec2(total.x + reduce_pair_rows[i].x, max(total.y, reduce_pair_rows[i].y));
  }
  return total;
}
