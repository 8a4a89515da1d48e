// reduce_subgroups: sum and largest of one value of each of 256 invocations, in every invocation (feature subgroups).
//
// Each subgroup reduces its values, its elected invocation leaves the result in workgroup memory, and after one barrier every
// subgroup reduces these results. Which invocations make a subgroup does not matter, nor their number (8 to 128): slots
// belong to invocations, and in those of invocations not elected the sum is 0. Alternative: reduce_portable.

var<workgroup> reduce_parts: array<vec2<f32>, 256>;

// (sum of pair.x, largest pair.y) of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum_and_max(pair: vec2<f32>, lane: u32) -> vec2<f32> {
  let part = vec2(subgroupAdd(pair.x), subgroupMax(pair.y));
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  workgroupBarrier();  // the slots of the call before have been read
  reduce_parts[lane] = vec2(select(0.0, part.x, rank == 0u), part.y);
  workgroupBarrier();
  var total = vec2(0.0, part.y);
  for (var i = rank; i < 256u; i += size) {
    let other = reduce_parts[i];
    total = vec2(total.x + other.x, max(total.y, other.y));
  }
  return vec2(subgroupAdd(total.x), subgroupMax(total.y));
}

// Sum of v over the workgroup.
fn group_sum(v: f32, lane: u32) -> f32 {
  return group_sum_and_max(vec2(v, 0.0), lane).x;
}

// Greatest v of the workgroup.
fn group_max(v: f32, lane: u32) -> f32 {
  return group_sum_and_max(vec2(0.0, v), lane).y;
}
