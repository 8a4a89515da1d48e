// matvec_binary16, matvec_binary16_r16: an INT4 matrix times vectors rounded to binary16, one vector at a time (rules ACT-8, NUM-3).
//
//   y[t, first_row + r] (+)= sum over j of scale_b * sum over c of (code_rc - zero_point_b) x_tc
//
// with b the block of row r and block column j, c its 64 columns, x the rounded values of vector t as binary32.
//
// A code becomes a binary32 number without a conversion: or-ed with 0x4B000000, four bits at bit 4 k are 2^23 + code * 16^k,
// from which 2^23 + zero_point * 16^k is subtracted exactly. The lanes are weighted by 16^-k, which is exact too, at
// the end of a block.
//
// Layout: see matvec_int8; `rounded` is in the order of columns, zero beyond the matrix's.
//
// Threads. A workgroup (x, t) takes 64 or 16 rows of vector t: matvec_binary16 those from 64 x on, matvec_binary16_r16 those from
// 16 x on. Of its 256 threads, `lanes` (16, 8) share the rows (4, 2 each) and 256 / lanes share the block columns; their sums
// meet in workgroup memory. Adjacent threads read adjacent rows, 16 bytes of each plane. Repeated statements replace
// loops over arrays: compilers put such arrays in memory.
//
// Bindings: packed, scale (binary16 pairs), zero_point (4 i8 a word; unread if symmetric), rounded, rounded_sums
// (unread: the zero point is subtracted from each code), choice (unread unless expert), y.
// flags: 1 symmetric (zero_point 8), 2 add to y, 4 only where choice[t] = expert.

struct MatvecBinary16 {
    rows: u32,
    blocks: u32,
    first_row: u32,
    first_block: u32,
    y_stride: u32,
    blocks_stride: u32,
    flags: u32,
    expert: u32,
}

@group(0) @binding(0) var<storage, read> matvec_binary16_packed: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> matvec_binary16_scale: array<u32>;
@group(0) @binding(2) var<storage, read> matvec_binary16_zero_point: array<u32>;
@group(0) @binding(3) var<storage, read> matvec_binary16_rounded: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> matvec_binary16_rounded_sums: array<f32>;
@group(0) @binding(5) var<storage, read> matvec_binary16_choice: array<u32>;
@group(0) @binding(6) var<storage, read_write> matvec_binary16_y: array<f32>;
@group(1) @binding(0) var<uniform> matvec_binary16_parameters: MatvecBinary16;

var<workgroup> matvec_binary16_partial: array<f32, 1024>;

fn matvec_binary16_scale_of(block: u32) -> f32 {
    let pair = halves(matvec_binary16_scale[block >> 1u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}

fn matvec_binary16_zero_of(block: u32) -> i32 {
    if (matvec_binary16_parameters.flags & 1u) != 0u {
        return 8;
    }
    let word = matvec_binary16_zero_point[block >> 2u];
    return i32(word << (24u - 8u * (block & 3u))) >> 24u;
}

// (code - zero_point) * 16^k of the four codes in the low half of a word, k = 0 to 3.
fn matvec_binary16_lanes(word: u32, zero: vec4<f32>) -> vec4<f32> {
    let lanes = vec4<u32>(word) & vec4<u32>(0xFu, 0xF0u, 0xF00u, 0xF000u);
    return bitcast<vec4<f32>>(lanes | vec4<u32>(0x4B000000u)) - zero;
}

// 16 columns of a row: a word of each plane with the four words of x that it meets; lane k is 16^k times a sum.
fn matvec_binary16_word(low: u32, high: u32, zero: vec4<f32>, x: mat4x4<f32>) -> vec4<f32> {
    let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
    let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
    return (matvec_binary16_lanes(even, zero) * x[0] + matvec_binary16_lanes(odd, zero) * x[1])
        + (matvec_binary16_lanes(even >> 16u, zero) * x[2] + matvec_binary16_lanes(odd >> 16u, zero) * x[3]);
}

// 16 values of a vector in the order in which the halves of the even and the odd codes meet them.
fn matvec_binary16_sixteen_values(first: u32) -> mat4x4<f32> {
    let a = matvec_binary16_rounded[first];
    let b = matvec_binary16_rounded[first + 1u];
    let c = matvec_binary16_rounded[first + 2u];
    let d = matvec_binary16_rounded[first + 3u];
    return mat4x4<f32>(
        vec4<f32>(a.xz, b.xz),
        vec4<f32>(a.yw, b.yw),
        vec4<f32>(c.xz, d.xz),
        vec4<f32>(c.yw, d.yw),
    );
}

struct MatvecBinary16Values {
    word_0: mat4x4<f32>,
    word_1: mat4x4<f32>,
    word_2: mat4x4<f32>,
    word_3: mat4x4<f32>,
}

fn matvec_binary16_values(vector: u32) -> MatvecBinary16Values {
    return MatvecBinary16Values(
        matvec_binary16_sixteen_values(16u * vector),
        matvec_binary16_sixteen_values(16u * vector + 4u),
        matvec_binary16_sixteen_values(16u * vector + 8u),
        matvec_binary16_sixteen_values(16u * vector + 12u),
    );
}

// The product of a row of a block, except the scale.
fn matvec_binary16_row(low: vec4<u32>, high: vec4<u32>, zero: vec4<f32>, x: MatvecBinary16Values) -> f32 {
    let sum = (matvec_binary16_word(low.x, high.x, zero, x.word_0) + matvec_binary16_word(low.y, high.y, zero, x.word_1))
        + (matvec_binary16_word(low.z, high.z, zero, x.word_2) + matvec_binary16_word(low.w, high.w, zero, x.word_3));
    return dot(sum, vec4<f32>(1.0, 0.0625, 0.00390625, 0.000244140625));
}

// The sum of 16 partial sums, `step` apart.
fn matvec_binary16_sixteen(first: u32, step: u32) -> f32 {
    return (matvec_binary16_four(first, step) + matvec_binary16_four(first + 4u * step, step))
        + (matvec_binary16_four(first + 8u * step, step) + matvec_binary16_four(first + 12u * step, step));
}

fn matvec_binary16_four(first: u32, step: u32) -> f32 {
    return (matvec_binary16_partial[first] + matvec_binary16_partial[first + step])
        + (matvec_binary16_partial[first + 2u * step] + matvec_binary16_partial[first + 3u * step]);
}

fn matvec_binary16_store(token: u32, row: u32, sum: f32) {
    if row < matvec_binary16_parameters.rows {
        let place = token * matvec_binary16_parameters.y_stride + matvec_binary16_parameters.first_row + row;
        var total = sum;
        if (matvec_binary16_parameters.flags & 2u) != 0u {
            total += matvec_binary16_y[place];
        }
        matvec_binary16_y[place] = total;
    }
}

// Whether a token chose another expert than this matrix's.
fn matvec_binary16_skips(token: u32) -> bool {
    return (matvec_binary16_parameters.flags & 4u) != 0u
        && matvec_binary16_choice[token] != matvec_binary16_parameters.expert;
}

@compute @workgroup_size(256)
fn matvec_binary16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if matvec_binary16_skips(token) {
        return;
    }
    let blocks = matvec_binary16_parameters.blocks;
    let row = lane & 15u;
    let first = group.x * blocks;
    let row_of_block = row;
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    var sum_2 = 0.0;
    var sum_3 = 0.0;
    for (var j = lane / 16u; j < blocks; j += 16u) {
        let block = matvec_binary16_parameters.first_block + first + j;
        let word = 128u * (first + j) + row_of_block;
        let low_0 = matvec_binary16_packed[word];
        let high_0 = matvec_binary16_packed[word + 64u];
        let low_1 = matvec_binary16_packed[word + 16u];
        let high_1 = matvec_binary16_packed[word + 80u];
        let low_2 = matvec_binary16_packed[word + 32u];
        let high_2 = matvec_binary16_packed[word + 96u];
        let low_3 = matvec_binary16_packed[word + 48u];
        let high_3 = matvec_binary16_packed[word + 112u];
        let x = matvec_binary16_values(token * matvec_binary16_parameters.blocks_stride + j);
        let zero = vec4<f32>(8388608.0)
            + f32(matvec_binary16_zero_of(block)) * vec4<f32>(1.0, 16.0, 256.0, 4096.0);
        let scale = matvec_binary16_scale_of(block);
        sum_0 += scale * matvec_binary16_row(low_0, high_0, zero, x);
        sum_1 += scale * matvec_binary16_row(low_1, high_1, zero, x);
        sum_2 += scale * matvec_binary16_row(low_2, high_2, zero, x);
        sum_3 += scale * matvec_binary16_row(low_3, high_3, zero, x);
    }
    matvec_binary16_partial[64u * (lane / 16u) + row] = sum_0;
    matvec_binary16_partial[64u * (lane / 16u) + row + 16u] = sum_1;
    matvec_binary16_partial[64u * (lane / 16u) + row + 32u] = sum_2;
    matvec_binary16_partial[64u * (lane / 16u) + row + 48u] = sum_3;
    workgroupBarrier();
    if lane < 64u {
        let sum = matvec_binary16_sixteen(lane, 64u);
        matvec_binary16_store(token, 64u * group.x + lane, sum);
    }
}

@compute @workgroup_size(256)
fn matvec_binary16_r16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if matvec_binary16_skips(token) {
        return;
    }
    let blocks = matvec_binary16_parameters.blocks;
    let row = lane & 7u;
    let first = group.x / 4u * blocks;
    let row_of_block = group.x % 4u * 16u + row;
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    for (var j = lane / 8u; j < blocks; j += 32u) {
        let block = matvec_binary16_parameters.first_block + first + j;
        let word = 128u * (first + j) + row_of_block;
        let low_0 = matvec_binary16_packed[word];
        let high_0 = matvec_binary16_packed[word + 64u];
        let low_1 = matvec_binary16_packed[word + 8u];
        let high_1 = matvec_binary16_packed[word + 72u];
        let x = matvec_binary16_values(token * matvec_binary16_parameters.blocks_stride + j);
        let zero = vec4<f32>(8388608.0)
            + f32(matvec_binary16_zero_of(block)) * vec4<f32>(1.0, 16.0, 256.0, 4096.0);
        let scale = matvec_binary16_scale_of(block);
        sum_0 += scale * matvec_binary16_row(low_0, high_0, zero, x);
        sum_1 += scale * matvec_binary16_row(low_1, high_1, zero, x);
    }
    matvec_binary16_partial[16u * (lane / 8u) + row] = sum_0;
    matvec_binary16_partial[16u * (lane / 8u) + row + 8u] = sum_1;
    workgroupBarrier();
    if lane < 16u {
        let sum = matvec_binary16_sixteen(lane, 16u) + matvec_binary16_sixteen(lane + 256u, 16u);
        matvec_binary16_store(token, 16u * group.x + lane, sum);
    }
}
