// reduce_subgroups: sum and greatest of one value of each of 256 invocations, in every invocation (feature subgroups).
//
// Each subgroup reduces its values, its elected invocation leaves the result in workgroup memory, and after one barrier every
// subgroup reduces what all have left. Which invocations make a subgroup does not matter, nor their number (8 to 128): slots
// belong to invocations, and those of invocations not elected hold the neutral element. Alternative: reduce_portable.

var<workgroup> reduce_parts: array<f32, 256>;
var<workgroup> reduce_pairs: array<vec2<f32>, 256>;

// Sum of v over the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum(v: f32, lane: u32) -> f32 {
  let part = subgroupAdd(v);
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  workgroupBarrier();  // the slots of the call before have been read
  reduce_parts[lane] = select(0.0, part, rank == 0u);
  workgroupBarrier();
  var total = 0.0;
  for (var i = rank; i < 256u; i += size) {
    total += reduce_parts[i];
  }
  return subgroupAdd(total);
}

// Greatest v of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_max(v: f32, lane: u32) -> f32 {
  let part = subgroupMax(v);
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  workgroupBarrier();
  reduce_parts[lane] = part;
  workgroupBarrier();
  var greatest = part;
  for (var i = rank; i < 256u; i += size) {
    greatest = max(greatest, reduce_parts[i]);
  }
  return subgroupMax(greatest);
}

// (sum of pair.x, greatest pair.y) of the workgroup. Needs uniform control flow; lane is local_invocation_index.
fn group_sum_and_max(pair: vec2<f32>, lane: u32) -> vec2<f32> {
  let part = vec2(subgroupAdd(pair.x), subgroupMax(pair.y));
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  workgroupBarrier();
  reduce_pairs[lane] = vec2(select(0.0, part.x, rank == 0u), part.y);
  workgroupBarrier();
  var total = vec2(0.0, part.y);
  for (var i = rank; i < 256u; i += size) {
    let other = reduce_pairs[i];
    total = vec2(total.x + other.x, max(total.y, other.y));
  }
  return vec2(subgroupAdd(total.x), subgroupMax(total.y));
}
