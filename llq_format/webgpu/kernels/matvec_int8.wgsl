// matvec_int8, matvec_int8_r16, matvec_int8_r8: an INT4 matrix times vectors rounded to INT8, one vector at a time (rules ACT-7, NUM-3).
//
//   y[t, first_row + r] (+)= s_t * sum over j of scale_b * (sum over c of code_rc q_tc - zero_point_b * sum over c of q_tc)
//
// with b the block of row r and block column j, c its 64 columns, q the INT8 codes of vector t and s_t its scale.
//
// Layout. Block k of `packed` is words (vec4<u32>) 128 k to 128 k + 127: 64 rows of low bits, 64 rows of high bits.
// `codes` holds 16 words a block in INT8 order: byte j of word 4 w + k is the code of column 16 w + 4 j + k, which
// the mask 0x03030303 << 2 k of a row's word w selects. The codes of columns outside the matrix are zero.
//
// Threads. A workgroup (x, t) takes 32, 16 or 8 rows of vector t: matvec_int8 those from 32 x on, and so on. So small matrices still
// give every core of a large device some workgroups; llq_format/webgpu/planning/tiles.py has the choice. Of the 256 threads, `lanes`
// (16, 8, 8) share the rows (2, 2, 1 each) and 256 / lanes share the block columns; their sums meet in workgroup memory.
// Adjacent threads read adjacent rows, 16 bytes of each plane. Repeated statements replace loops over arrays: compilers
// put such arrays in memory.
//
// A code in the high half of a byte is used in place: with bit 7 flipped it is a signed byte 16 (code - 8). Those dot products
// are divided by 16 and 8 times the sum of their columns' codes is added; both are exact.
//
// Bindings: packed, scale (binary16 pairs), zero_point (4 i8 a word; unread if symmetric), codes, sums, scales,
// choice (unread unless expert), y.
// flags: 1 symmetric (zero_point 8), 2 add to y, 4 only where choice[t] = expert.

struct MatvecInt8 {
    rows: u32,
    blocks: u32,
    first_row: u32,
    first_block: u32,
    y_stride: u32,
    blocks_stride: u32,
    flags: u32,
    expert: u32,
}

@group(0) @binding(0) var<storage, read> matvec_int8_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> matvec_int8_scale: array<u32>;
@group(0) @binding(2) var<storage, read> matvec_int8_zero_point: array<u32>;
@group(0) @binding(3) var<storage, read> matvec_int8_codes: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> matvec_int8_sums: array<i32>;
@group(0) @binding(5) var<storage, read> matvec_int8_scales: array<f32>;
@group(0) @binding(6) var<storage, read> matvec_int8_choice: array<u32>;
@group(0) @binding(7) var<storage, read_write> matvec_int8_y: array<f32>;
@group(1) @binding(0) var<uniform> matvec_int8_parameters: MatvecInt8;

var<workgroup> matvec_int8_partial: array<f32, 512>;

fn matvec_int8_scale_of(block: u32) -> f32 {
    let pair = halves(matvec_int8_scale[block >> 1u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}

fn matvec_int8_zero_of(block: u32) -> i32 {
    if (matvec_int8_parameters.flags & 1u) != 0u {
        return 8;
    }
    let word = matvec_int8_zero_point[block >> 2u];
    return i32(word << (24u - 8u * (block & 3u))) >> 24u;
}

// 16 columns: a word of each plane with the four words of codes that its masks select. x: products of the columns with k = 0 and 1;
// y: 16 times those of the columns with k = 2 and 3, for code - 8.
fn matvec_int8_word(low: u32, high: u32, codes: vec4<u32>) -> vec2<i32> {
    let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
    let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
    return vec2<i32>(
        dot4(even & 0x0F0F0F0Fu, codes.x) + dot4(odd & 0x0F0F0F0Fu, codes.y),
        dot4((even ^ 0x80808080u) & 0xF0F0F0F0u, codes.z) + dot4((odd ^ 0x80808080u) & 0xF0F0F0F0u, codes.w),
    );
}

// The INT8 codes of a block of a vector, and what its rows' products lack: 8 times the sum of codes with k = 2 and 3, less the
// zero point times the sum of all.
struct MatvecInt8Codes {
    word_0: vec4<u32>,
    word_1: vec4<u32>,
    word_2: vec4<u32>,
    word_3: vec4<u32>,
    offset: i32,
}

fn matvec_int8_codes_of(vector: u32, zero_point: i32) -> MatvecInt8Codes {
    let a = matvec_int8_codes[4u * vector];
    let b = matvec_int8_codes[4u * vector + 1u];
    let c = matvec_int8_codes[4u * vector + 2u];
    let d = matvec_int8_codes[4u * vector + 3u];
    let ones = 0x01010101u;
    let upper = ((dot4(ones, a.z) + dot4(ones, a.w)) + (dot4(ones, b.z) + dot4(ones, b.w)))
        + ((dot4(ones, c.z) + dot4(ones, c.w)) + (dot4(ones, d.z) + dot4(ones, d.w)));
    return MatvecInt8Codes(a, b, c, d, 8 * upper - zero_point * matvec_int8_sums[vector]);
}

// The exact dot product of a row of a block.
fn matvec_int8_row(low: vec4<u32>, high: vec4<u32>, codes: MatvecInt8Codes) -> f32 {
    let halves = (matvec_int8_word(low.x, high.x, codes.word_0) + matvec_int8_word(low.y, high.y, codes.word_1))
        + (matvec_int8_word(low.z, high.z, codes.word_2) + matvec_int8_word(low.w, high.w, codes.word_3));
    return f32(halves.x + (halves.y >> 4u) + codes.offset);
}

// The sum of 16 partial sums, `step` apart.
fn matvec_int8_sixteen(first: u32, step: u32) -> f32 {
    return (matvec_int8_four(first, step) + matvec_int8_four(first + 4u * step, step))
        + (matvec_int8_four(first + 8u * step, step) + matvec_int8_four(first + 12u * step, step));
}

fn matvec_int8_four(first: u32, step: u32) -> f32 {
    return (matvec_int8_partial[first] + matvec_int8_partial[first + step])
        + (matvec_int8_partial[first + 2u * step] + matvec_int8_partial[first + 3u * step]);
}

fn matvec_int8_store(token: u32, row: u32, sum: f32) {
    if row < matvec_int8_parameters.rows {
        let place = token * matvec_int8_parameters.y_stride + matvec_int8_parameters.first_row + row;
        var total = sum * matvec_int8_scales[token];
        if (matvec_int8_parameters.flags & 2u) != 0u {
            total += matvec_int8_y[place];
        }
        matvec_int8_y[place] = total;
    }
}

// Whether a token chose another expert than this matrix's.
fn matvec_int8_skips(token: u32) -> bool {
    return (matvec_int8_parameters.flags & 4u) != 0u && matvec_int8_choice[token] != matvec_int8_parameters.expert;
}

@compute @workgroup_size(256)
fn matvec_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if matvec_int8_skips(token) {
        return;
    }
    let blocks = matvec_int8_parameters.blocks;
    let row = lane & 15u;
    let first = group.x / 2u * blocks;
    let row_of_block = group.x % 2u * 32u + row;
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    for (var j = lane / 16u; j < blocks; j += 16u) {
        let block = matvec_int8_parameters.first_block + first + j;
        let word = 128u * (first + j) + row_of_block;
        let low_0 = matvec_int8_packed[word];
        let high_0 = matvec_int8_packed[word + 64u];
        let low_1 = matvec_int8_packed[word + 16u];
        let high_1 = matvec_int8_packed[word + 80u];
        let codes = matvec_int8_codes_of(
            token * matvec_int8_parameters.blocks_stride + j,
            matvec_int8_zero_of(block),
        );
        let scale = matvec_int8_scale_of(block);
        sum_0 += scale * matvec_int8_row(low_0, high_0, codes);
        sum_1 += scale * matvec_int8_row(low_1, high_1, codes);
    }
    matvec_int8_partial[32u * (lane / 16u) + row] = sum_0;
    matvec_int8_partial[32u * (lane / 16u) + row + 16u] = sum_1;
    workgroupBarrier();
    if lane < 32u {
        matvec_int8_store(token, 32u * group.x + lane, matvec_int8_sixteen(lane, 32u));
    }
}

@compute @workgroup_size(256)
fn matvec_int8_r16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if matvec_int8_skips(token) {
        return;
    }
    let blocks = matvec_int8_parameters.blocks;
    let row = lane & 7u;
    let first = group.x / 4u * blocks;
    let row_of_block = group.x % 4u * 16u + row;
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    for (var j = lane / 8u; j < blocks; j += 32u) {
        let block = matvec_int8_parameters.first_block + first + j;
        let word = 128u * (first + j) + row_of_block;
        let low_0 = matvec_int8_packed[word];
        let high_0 = matvec_int8_packed[word + 64u];
        let low_1 = matvec_int8_packed[word + 8u];
        let high_1 = matvec_int8_packed[word + 72u];
        let codes = matvec_int8_codes_of(
            token * matvec_int8_parameters.blocks_stride + j,
            matvec_int8_zero_of(block),
        );
        let scale = matvec_int8_scale_of(block);
        sum_0 += scale * matvec_int8_row(low_0, high_0, codes);
        sum_1 += scale * matvec_int8_row(low_1, high_1, codes);
    }
    matvec_int8_partial[16u * (lane / 8u) + row] = sum_0;
    matvec_int8_partial[16u * (lane / 8u) + row + 8u] = sum_1;
    workgroupBarrier();
    if lane < 16u {
        matvec_int8_store(token, 16u * group.x + lane, matvec_int8_sixteen(lane, 16u) + matvec_int8_sixteen(lane + 256u, 16u));
    }
}

@compute @workgroup_size(256)
fn matvec_int8_r8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if matvec_int8_skips(token) {
        return;
    }
    let blocks = matvec_int8_parameters.blocks;
    let row = lane & 7u;
    let first = group.x / 8u * blocks;
    let row_of_block = group.x % 8u * 8u + row;
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    for (var j = lane / 8u; j < blocks; j += 64u) {
        let next = min(j + 32u, blocks - 1u);
        let block_0 = matvec_int8_parameters.first_block + first + j;
        let block_1 = matvec_int8_parameters.first_block + first + next;
        let word_0 = 128u * (first + j) + row_of_block;
        let word_1 = 128u * (first + next) + row_of_block;
        let low_0 = matvec_int8_packed[word_0];
        let high_0 = matvec_int8_packed[word_0 + 64u];
        let low_1 = matvec_int8_packed[word_1];
        let high_1 = matvec_int8_packed[word_1 + 64u];
        let vector = token * matvec_int8_parameters.blocks_stride;
        let codes_0 = matvec_int8_codes_of(vector + j, matvec_int8_zero_of(block_0));
        let codes_1 = matvec_int8_codes_of(vector + next, matvec_int8_zero_of(block_1));
        let scale_1 = select(0.0, matvec_int8_scale_of(block_1), j + 32u < blocks);
        sum_0 += matvec_int8_scale_of(block_0) * matvec_int8_row(low_0, high_0, codes_0);
        sum_1 += scale_1 * matvec_int8_row(low_1, high_1, codes_1);
    }
    matvec_int8_partial[lane] = sum_0 + sum_1;
    workgroupBarrier();
    if lane < 8u {
        matvec_int8_store(token, 8u * group.x + lane, matvec_int8_sixteen(lane, 8u) + matvec_int8_sixteen(lane + 128u, 8u));
    }
}
