// matmul_int8, matmul_int8_split: an INT4 matrix times the INT8 vectors of a chunk (rules ACT-7, NUM-3): what matvec_int8 computes, for many.
//
//   y[t, first_row + r] (+)= s_t * sum over j of scale_b * (sum over c of code_rc q_tc - zero_point_b * sum over c of q_tc)
//
// Layout: see matvec_int8.
//
// Threads. Workgroup (x, z) of matmul_int8 takes block row x and vectors 64 z to 64 z + 63, that of matmul_int8_split vectors 32 z to
// 32 z + 31. For each block column, it unpacks the block's codes to bytes and copies the vectors' codes in workgroup memory, word by
// word across rows and vectors; then each thread multiplies 4 rows by 4 vectors. In matmul_int8_split, half of the threads take
// the even block columns and half the odd ones, so that matrices of few rows keep a large device busy; their sums are added last.
// Steps are repeated 16 times instead of a loop, which compilers neither unroll nor keep in registers.
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

// Word c of a block's 16 at 16 c, then rows or vectors, four at a place. matmul_int8_split: each half of the threads has its own
// block, and 8 places of vectors a word.
var<workgroup> matmul_int8_weights: array<vec4<u32>, 512>;
var<workgroup> matmul_int8_vectors: array<vec4<u32>, 256>;

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

// One word of 4 rows times one word of 4 vectors.
fn matmul_int8_step(
    row: u32,
    vector: u32,
    dots_0: ptr<function, vec4<i32>>,
    dots_1: ptr<function, vec4<i32>>,
    dots_2: ptr<function, vec4<i32>>,
    dots_3: ptr<function, vec4<i32>>,
) {
    let weights = matmul_int8_weights[row];
    let vectors = matmul_int8_vectors[vector];
    *dots_0 += matmul_int8_four(weights, vectors.x);
    *dots_1 += matmul_int8_four(weights, vectors.y);
    *dots_2 += matmul_int8_four(weights, vectors.z);
    *dots_3 += matmul_int8_four(weights, vectors.w);
}

// Unpacks 16 codes of a row, word w of its block, to words 4 w to 4 w + 3; `place` is that of the row's part for word 4 w.
fn matmul_int8_unpack(place: u32, part: u32, low: u32, high: u32) {
    let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
    let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
    matmul_int8_weights[place][part] = even & 0x0F0F0F0Fu;
    matmul_int8_weights[place + 16u][part] = odd & 0x0F0F0F0Fu;
    matmul_int8_weights[place + 32u][part] = (even >> 4u) & 0x0F0F0F0Fu;
    matmul_int8_weights[place + 48u][part] = (odd >> 4u) & 0x0F0F0F0Fu;
}

// Copies four words of a vector to places `step` apart.
fn matmul_int8_copy(place: u32, step: u32, part: u32, codes: vec4<u32>) {
    matmul_int8_vectors[place][part] = codes.x;
    matmul_int8_vectors[place + step][part] = codes.y;
    matmul_int8_vectors[place + 2u * step][part] = codes.z;
    matmul_int8_vectors[place + 3u * step][part] = codes.w;
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
    let place = 64u * word + (item >> 2u);
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
        workgroupBarrier();
        matmul_int8_unpack(place, item & 3u, low, high);
        matmul_int8_copy(place, 16u, item & 3u, codes);
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
        matmul_int8_step(rows + 0u, tokens + 0u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 16u, tokens + 16u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 32u, tokens + 32u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 48u, tokens + 48u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 64u, tokens + 64u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 80u, tokens + 80u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 96u, tokens + 96u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 112u, tokens + 112u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 128u, tokens + 128u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 144u, tokens + 144u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 160u, tokens + 160u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 176u, tokens + 176u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 192u, tokens + 192u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 208u, tokens + 208u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 224u, tokens + 224u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 240u, tokens + 240u, &dots_0, &dots_1, &dots_2, &dots_3);
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

@compute @workgroup_size(256)
fn matmul_int8_split(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = matmul_int8_state[1];
    let first_token = 32u * group.y;
    if first_token >= count {
        return;
    }
    let blocks = matmul_int8_parameters.blocks;
    let stride = matmul_int8_parameters.blocks_stride;
    let half = lane >> 7u;
    let thread = lane & 127u;
    let rows = 256u * half + (thread & 15u);
    let tokens = 128u * half + (thread >> 4u);
    // What this thread unpacks: words `word` and `word` + 2 of row `item`; and copies: word `copy_word` of vector `copy_item`.
    let item = thread & 63u;
    let word = thread >> 6u;
    let place = 256u * half + 64u * word + (item >> 2u);
    let copy_item = thread & 31u;
    let copy_word = thread >> 5u;
    let copy_place = 128u * half + 32u * copy_word + (copy_item >> 2u);
    // Vectors beyond the last are read as the last one and not written.
    let load_vector = min(first_token + copy_item, count - 1u) * stride;
    let token = first_token + 4u * (thread >> 4u);
    let vector = min(vec4<u32>(token, token + 1u, token + 2u, token + 3u), vec4<u32>(count - 1u)) * stride;
    var sum_0 = vec4<f32>();
    var sum_1 = vec4<f32>();
    var sum_2 = vec4<f32>();
    var sum_3 = vec4<f32>();
    // Block columns beyond the last are read as the last one, with scale 0.
    var j = min(half, blocks - 1u);
    var row_low = matmul_int8_packed[128u * (group.x * blocks + j) + item];
    var row_high = matmul_int8_packed[128u * (group.x * blocks + j) + 64u + item];
    var codes = matmul_int8_codes[4u * (load_vector + j) + copy_word];
    for (var first = 0u; first < blocks; first += 2u) {
        workgroupBarrier();
        matmul_int8_unpack(place, item & 3u, row_low[word], row_high[word]);
        matmul_int8_unpack(place + 128u, item & 3u, row_low[word + 2u], row_high[word + 2u]);
        matmul_int8_copy(copy_place, 8u, copy_item & 3u, codes);
        workgroupBarrier();
        let block = matmul_int8_parameters.first_block + group.x * blocks + j;
        let zero = matmul_int8_zero_of(block);
        let scale = select(matmul_int8_scale_of(block), 0.0, first + half >= blocks);
        var dots_0 = vec4<i32>(-zero * matmul_int8_sums[vector.x + j]);
        var dots_1 = vec4<i32>(-zero * matmul_int8_sums[vector.y + j]);
        var dots_2 = vec4<i32>(-zero * matmul_int8_sums[vector.z + j]);
        var dots_3 = vec4<i32>(-zero * matmul_int8_sums[vector.w + j]);
        // The next blocks are on their way while these are multiplied.
        j = min(first + 2u + half, blocks - 1u);
        row_low = matmul_int8_packed[128u * (group.x * blocks + j) + item];
        row_high = matmul_int8_packed[128u * (group.x * blocks + j) + 64u + item];
        codes = matmul_int8_codes[4u * (load_vector + j) + copy_word];
        matmul_int8_step(rows + 0u, tokens + 0u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 16u, tokens + 8u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 32u, tokens + 16u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 48u, tokens + 24u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 64u, tokens + 32u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 80u, tokens + 40u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 96u, tokens + 48u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 112u, tokens + 56u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 128u, tokens + 64u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 144u, tokens + 72u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 160u, tokens + 80u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 176u, tokens + 88u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 192u, tokens + 96u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 208u, tokens + 104u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 224u, tokens + 112u, &dots_0, &dots_1, &dots_2, &dots_3);
        matmul_int8_step(rows + 240u, tokens + 120u, &dots_0, &dots_1, &dots_2, &dots_3);
        sum_0 += scale * vec4<f32>(dots_0);
        sum_1 += scale * vec4<f32>(dots_1);
        sum_2 += scale * vec4<f32>(dots_2);
        sum_3 += scale * vec4<f32>(dots_3);
    }
    workgroupBarrier();
    if half == 1u {
        matmul_int8_weights[thread] = bitcast<vec4<u32>>(sum_0);
        matmul_int8_weights[thread + 128u] = bitcast<vec4<u32>>(sum_1);
        matmul_int8_weights[thread + 256u] = bitcast<vec4<u32>>(sum_2);
        matmul_int8_weights[thread + 384u] = bitcast<vec4<u32>>(sum_3);
    }
    workgroupBarrier();
    if half == 0u {
        let row = 64u * group.x + 4u * (thread & 15u);
        matmul_int8_store(token, row, sum_0 + bitcast<vec4<f32>>(matmul_int8_weights[thread]));
        matmul_int8_store(token + 1u, row, sum_1 + bitcast<vec4<f32>>(matmul_int8_weights[thread + 128u]));
        matmul_int8_store(token + 2u, row, sum_2 + bitcast<vec4<f32>>(matmul_int8_weights[thread + 256u]));
        matmul_int8_store(token + 3u, row, sum_3 + bitcast<vec4<f32>>(matmul_int8_weights[thread + 384u]));
    }
}
