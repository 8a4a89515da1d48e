// matmul_int8: an INT4 matrix times the INT8 vectors of a chunk (rules ACT-7, NUM-3): what matvec_int8 computes, for many.
//
//   y[t, first_row + r] (+)= s_t * sum over j of scale_b * (sum over c of code_rc q_tc - zero_point_b * sum over c of q_tc)
//
// Layout: see matvec_int8.
//
// Threads. Workgroup (x, z) takes block row x and vectors 64 z to 64 z + 63. For each block column, it unpacks the
// block's codes to bytes and copies the vectors' codes in workgroup memory, word by word across rows and vectors; then each
// thread multiplies 4 rows by 4 vectors.
//
// Bindings: packed, scale, zero_point, codes, sums, scales, state (state[1]: count of vectors), y.
// flags: 1 symmetric (zero_point 8), 2 add to y.

struct MatmulInt8 {
    rows: u32,
    blocks: u32,
    first_row: u32,
    first_block: u32,
    y_stride: u32,
    blocks_stride: u32,
    flags: u32,
    expert: u32,
}

@group(0) @binding(0) var<storage, read> matmul_int8_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> matmul_int8_scale: array<u32>;
@group(0) @binding(2) var<storage, read> matmul_int8_zero_point: array<u32>;
@group(0) @binding(3) var<storage, read> matmul_int8_codes: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> matmul_int8_sums: array<i32>;
@group(0) @binding(5) var<storage, read> matmul_int8_scales: array<f32>;
@group(0) @binding(6) var<storage, read> matmul_int8_state: array<u32>;
@group(0) @binding(7) var<storage, read_write> matmul_int8_y: array<f32>;
@group(1) @binding(0) var<uniform> matmul_int8_parameters: MatmulInt8;

// Word c of a block's 16, then rows or vectors in fours.
var<workgroup> matmul_int8_weights: array<array<u32, 64>, 16>;
var<workgroup> matmul_int8_vectors: array<array<u32, 64>, 16>;

fn matmul_int8_scale_of(block: u32) -> f32 {
    let pair = halves(matmul_int8_scale[block >> 1u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}

fn matmul_int8_zero_of(block: u32) -> i32 {
    if (matmul_int8_parameters.flags & 1u) != 0u {
        return 8;
    }
    let word = matmul_int8_zero_point[block >> 2u];
    return i32(word << (24u - 8u * (block & 3u))) >> 24u;
}

@compute @workgroup_size(256)
fn matmul_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = matmul_int8_state[1];
    let first_token = 64u * group.y;
    if first_token >= count {
        return;
    }
    let blocks = matmul_int8_parameters.blocks;
    let stride = matmul_int8_parameters.blocks_stride;
    let row = 4u * (lane & 15u);
    let token = 4u * (lane >> 4u);
    let load_row = lane & 63u;
    let load_word = lane >> 6u;
    // Vectors beyond the last are read as the last one and not written.
    let load_vector = min(first_token + load_row, count - 1u) * stride;
    let tokens = min(vec4<u32>(first_token + token) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(count - 1u));
    var sums = array<vec4<f32>, 4>();
    for (var j = 0u; j < blocks; j += 1u) {
        let block = group.x * blocks + j;
        let low = matmul_int8_packed[128u * block + load_row][load_word];
        let high = matmul_int8_packed[128u * block + 64u + load_row][load_word];
        let codes = matmul_int8_codes[4u * (load_vector + j) + load_word];
        let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
        let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
        workgroupBarrier();
        matmul_int8_weights[4u * load_word][load_row] = even & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * load_word + 1u][load_row] = odd & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * load_word + 2u][load_row] = (even >> 4u) & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * load_word + 3u][load_row] = (odd >> 4u) & 0x0F0F0F0Fu;
        matmul_int8_vectors[4u * load_word][load_row] = codes.x;
        matmul_int8_vectors[4u * load_word + 1u][load_row] = codes.y;
        matmul_int8_vectors[4u * load_word + 2u][load_row] = codes.z;
        matmul_int8_vectors[4u * load_word + 3u][load_row] = codes.w;
        workgroupBarrier();
        var dots = array<vec4<i32>, 4>();
        for (var c = 0u; c < 16u; c += 1u) {
            for (var i = 0u; i < 4u; i += 1u) {
                let a = matmul_int8_vectors[c][token + i];
                dots[i] += vec4<i32>(
                    dot4(matmul_int8_weights[c][row], a),
                    dot4(matmul_int8_weights[c][row + 1u], a),
                    dot4(matmul_int8_weights[c][row + 2u], a),
                    dot4(matmul_int8_weights[c][row + 3u], a),
                );
            }
        }
        let index = matmul_int8_parameters.first_block + block;
        let zero = matmul_int8_zero_of(index);
        let scale = matmul_int8_scale_of(index);
        for (var i = 0u; i < 4u; i += 1u) {
            let offset = zero * matmul_int8_sums[tokens[i] * stride + j];
            sums[i] += scale * vec4<f32>(dots[i] - vec4<i32>(offset));
        }
    }
    for (var i = 0u; i < 4u; i += 1u) {
        let t = first_token + token + i;
        if t < count {
            let y = matmul_int8_scales[t] * sums[i];
            for (var k = 0u; k < 4u; k += 1u) {
                let out = 64u * group.x + row + k;
                if out < matmul_int8_parameters.rows {
                    let target_index = t * matmul_int8_parameters.y_stride + matmul_int8_parameters.first_row + out;
                    var value = y[k];
                    if (matmul_int8_parameters.flags & 2u) != 0u {
                        value += matmul_int8_y[target_index];
                    }
                    matmul_int8_y[target_index] = value;
                }
            }
        }
    }
}
