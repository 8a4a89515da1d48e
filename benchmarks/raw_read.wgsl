// raw_read: reads a buffer once, 16 bytes a thread and step, and keeps next to nothing: the floor of any kernel that reads as much.
//
// Threads. Workgroup x reads 4096 * steps bytes from 4096 * steps * x on; adjacent threads read adjacent words.

struct RawRead {
    steps: u32,
}

@group(0) @binding(0) var<storage, read> raw_read_data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> raw_read_result: array<u32>;
@group(1) @binding(0) var<uniform> raw_read_parameters: RawRead;

@compute @workgroup_size(256)
fn raw_read(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * 256u * raw_read_parameters.steps + lane;
    var folded = vec4<u32>();
    for (var step = 0u; step < raw_read_parameters.steps; step += 1u) {
        folded ^= raw_read_data[first + 256u * step];
    }
    // Written once in 2^32 words, so that the reads cannot be left out.
    if (folded.x ^ folded.y ^ folded.z ^ folded.w) == 0x12345679u {
        raw_read_result[lane] = folded.x;
    }
}
