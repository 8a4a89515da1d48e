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

// Word c of a block's 16, then rows or vectors, four at a place.
var<workgroup> matmul_int8_weights: array<array<vec4<u32>, 16>, 16>;
var<workgroup> matmul_int8_vectors: array<array<vec4<u32>, 16>, 16>;

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

// Four rows times one vector's word.
fn matmul_int8_four(weights: vec4<u32>, vector: u32) -> vec4<i32> {
    return vec4<i32>(
        dot4(weights.x, vector),
        dot4(weights.y, vector),
        dot4(weights.z, vector),
        dot4(weights.w, vector),
    );
}

fn matmul_int8_store(token: u32, row: u32, sum: vec4<f32>) {
    if token < matmul_int8_state[1] {
        let first = token * matmul_int8_parameters.y_stride + matmul_int8_parameters.first_row + row;
        let total = matmul_int8_scales[token] * sum;
        for (var k = 0u; k < 4u; k += 1u) {
            if row + k < matmul_int8_parameters.rows {
                var value = total[k];
                if (matmul_int8_parameters.flags & 2u) != 0u {
                    value += matmul_int8_y[first + k];
                }
                matmul_int8_y[first + k] = value;
            }
        }
    }
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
    let rows = lane & 15u;
    let tokens = lane >> 4u;
    // What this thread unpacks and copies: word `word` of row and of vector `item`.
    let item = lane & 63u;
    let word = lane >> 6u;
    let quad = item >> 2u;
    let part = item & 3u;
    // Vectors beyond the last are read as the last one and not written.
    let load_vector = min(first_token + item, count - 1u) * stride;
    let token = first_token + 4u * tokens;
    let vector = min(vec4<u32>(token, token + 1u, token + 2u, token + 3u), vec4<u32>(count - 1u)) * stride;
    var sum_0 = vec4<f32>();
    var sum_1 = vec4<f32>();
    var sum_2 = vec4<f32>();
    var sum_3 = vec4<f32>();
    var low = matmul_int8_packed[128u * group.x * blocks + item][word];
    var high = matmul_int8_packed[128u * group.x * blocks + 64u + item][word];
    var codes = matmul_int8_codes[4u * load_vector + word];
    for (var j = 0u; j < blocks; j += 1u) {
        let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
        let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
        workgroupBarrier();
        matmul_int8_weights[4u * word][quad][part] = even & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * word + 1u][quad][part] = odd & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * word + 2u][quad][part] = (even >> 4u) & 0x0F0F0F0Fu;
        matmul_int8_weights[4u * word + 3u][quad][part] = (odd >> 4u) & 0x0F0F0F0Fu;
        matmul_int8_vectors[4u * word][quad][part] = codes.x;
        matmul_int8_vectors[4u * word + 1u][quad][part] = codes.y;
        matmul_int8_vectors[4u * word + 2u][quad][part] = codes.z;
        matmul_int8_vectors[4u * word + 3u][quad][part] = codes.w;
        workgroupBarrier();
        // The next block is on its way while this one is multiplied; after the last, the last again.
        let next = min(j + 1u, blocks - 1u);
        low = matmul_int8_packed[128u * (group.x * blocks + next) + item][word];
        high = matmul_int8_packed[128u * (group.x * blocks + next) + 64u + item][word];
        codes = matmul_int8_codes[4u * (load_vector + next) + word];
        let block = matmul_int8_parameters.first_block + group.x * blocks + j;
        let zero = matmul_int8_zero_of(block);
        let scale = matmul_int8_scale_of(block);
        var dots_0 = vec4<i32>(-zero * matmul_int8_sums[vector.x + j]);
        var dots_1 = vec4<i32>(-zero * matmul_int8_sums[vector.y + j]);
        var dots_2 = vec4<i32>(-zero * matmul_int8_sums[vector.z + j]);
        var dots_3 = vec4<i32>(-zero * matmul_int8_sums[vector.w + j]);
        for (var c = 0u; c < 16u; c += 1u) {
            let weights = matmul_int8_weights[c][rows];
            let vectors = matmul_int8_vectors[c][tokens];
            dots_0 += matmul_int8_four(weights, vectors.x);
            dots_1 += matmul_int8_four(weights, vectors.y);
            dots_2 += matmul_int8_four(weights, vectors.z);
            dots_3 += matmul_int8_four(weights, vectors.w);
        }
        sum_0 += scale * vec4<f32>(dots_0);
        sum_1 += scale * vec4<f32>(dots_1);
        sum_2 += scale * vec4<f32>(dots_2);
        sum_3 += scale * vec4<f32>(dots_3);
    }
    let row = 64u * group.x + 4u * rows;
    matmul_int8_store(token, row, sum_0);
    matmul_int8_store(token + 1u, row, sum_1);
    matmul_int8_store(token + 2u, row, sum_2);
    matmul_int8_store(token + 3u, row, sum_3);
}
