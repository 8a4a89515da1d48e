// matmul_binary16: an INT4 matrix times the binary16 vectors of a chunk (rules ACT-8, NUM-3): matvec_binary16 for many.
//
//   y[t, first_row + r] (+)= sum over j of scale_b * sum over c of (code_rc - zero_point_b) x_tc
//
// Layout: see matvec_binary16.
//
// Threads. Workgroup (x, z) takes block row x and vectors 64 z to 64 z + 63. It takes 16 columns (a word of each plane) at a
// time: their weights, but for the scale, and the vectors' values go to workgroup memory; then each thread multiplies 4 rows
// by 4 vectors.
//
// Bindings: packed, scale, zero_point, rounded, rounded_sums (unread), state (state[1]: count of vectors), y.
// flags: 1 symmetric (zero_point 8), 2 add to y.

struct MatmulBinary16 {
    rows: u32,
    blocks: u32,
    first_row: u32,
    first_block: u32,
    y_stride: u32,
    blocks_stride: u32,
    flags: u32,
    expert: u32,
}

@group(0) @binding(0) var<storage, read> matmul_binary16_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> matmul_binary16_scale: array<u32>;
@group(0) @binding(2) var<storage, read> matmul_binary16_zero_point: array<u32>;
@group(0) @binding(3) var<storage, read> matmul_binary16_rounded: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> matmul_binary16_rounded_sums: array<f32>;
@group(0) @binding(5) var<storage, read> matmul_binary16_state: array<u32>;
@group(0) @binding(6) var<storage, read_write> matmul_binary16_y: array<f32>;
@group(1) @binding(0) var<uniform> matmul_binary16_parameters: MatmulBinary16;

// Column of the 16, then rows or vectors.
var<workgroup> matmul_binary16_weights: array<array<f32, 64>, 16>;
var<workgroup> matmul_binary16_vectors: array<array<f32, 64>, 16>;

fn matmul_binary16_scale_of(block: u32) -> f32 {
    let pair = halves(matmul_binary16_scale[block >> 1u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}

fn matmul_binary16_zero_of(block: u32) -> i32 {
    if (matmul_binary16_parameters.flags & 1u) != 0u {
        return 8;
    }
    let word = matmul_binary16_zero_point[block >> 2u];
    return i32(word << (24u - 8u * (block & 3u))) >> 24u;
}

@compute @workgroup_size(256)
fn matmul_binary16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = matmul_binary16_state[1];
    let first_token = 64u * group.y;
    if first_token >= count {
        return;
    }
    let blocks = matmul_binary16_parameters.blocks;
    let row = 4u * (lane & 15u);
    let token = 4u * (lane >> 4u);
    let load_row = lane & 63u;
    let quarter = lane >> 6u;
    // Vectors beyond the last are read as the last one and not written.
    let load_vector = min(first_token + load_row, count - 1u) * matmul_binary16_parameters.blocks_stride;
    var sums = array<vec4<f32>, 4>();
    for (var j = 0u; j < blocks; j += 1u) {
        let block = group.x * blocks + j;
        let index = matmul_binary16_parameters.first_block + block;
        let zero = matmul_binary16_zero_of(index);
        let scale = matmul_binary16_scale_of(index);
        var parts = array<vec4<f32>, 4>();
        for (var w = 0u; w < 4u; w += 1u) {
            // Byte `quarter` of the word of each plane holds columns 4 * quarter to 4 * quarter + 3 of the 16.
            let low = matmul_binary16_packed[128u * block + load_row][w] >> (8u * quarter);
            let high = matmul_binary16_packed[128u * block + 64u + load_row][w] >> (8u * quarter);
            let x = matmul_binary16_rounded[16u * (load_vector + j) + 4u * w + quarter];
            workgroupBarrier();
            for (var k = 0u; k < 4u; k += 1u) {
                let code = ((low >> (2u * k)) & 3u) | (((high >> (2u * k)) & 3u) << 2u);
                matmul_binary16_weights[4u * quarter + k][load_row] = f32(i32(code) - zero);
                matmul_binary16_vectors[4u * quarter + k][load_row] = x[k];
            }
            workgroupBarrier();
            for (var c = 0u; c < 16u; c += 1u) {
                let weights = vec4<f32>(
                    matmul_binary16_weights[c][row],
                    matmul_binary16_weights[c][row + 1u],
                    matmul_binary16_weights[c][row + 2u],
                    matmul_binary16_weights[c][row + 3u],
                );
                for (var i = 0u; i < 4u; i += 1u) {
                    parts[i] += weights * matmul_binary16_vectors[c][token + i];
                }
            }
        }
        for (var i = 0u; i < 4u; i += 1u) {
            sums[i] += scale * parts[i];
        }
    }
    for (var i = 0u; i < 4u; i += 1u) {
        let t = first_token + token + i;
        if t < count {
            for (var k = 0u; k < 4u; k += 1u) {
                let out = 64u * group.x + row + k;
                if out < matmul_binary16_parameters.rows {
                    let target_index = t * matmul_binary16_parameters.y_stride + matmul_binary16_parameters.first_row + out;
                    var value = sums[i][k];
                    if (matmul_binary16_parameters.flags & 2u) != 0u {
                        value += matmul_binary16_y[target_index];
                    }
                    matmul_binary16_y[target_index] = value;
                }
            }
        }
    }
}
