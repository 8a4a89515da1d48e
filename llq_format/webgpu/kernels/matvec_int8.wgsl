// matvec_int8: an INT4 matrix times vectors rounded to INT8, one vector at a time (rules ACT-7, NUM-3).
//
//   y[t, first_row + r] (+)= s_t * sum over j of scale_b * (sum over c of code_rc q_tc - zero_point_b * sum over c of q_tc)
//
// with b the block of row r and block column j, c its 64 columns, q the INT8 codes of vector t and s_t its scale.
//
// Layout. Block k of `packed` is words (vec4<u32>) 128 k to 128 k + 127: 64 rows of low bits, 64 rows of high bits.
// `codes` holds 16 words a block in INT8 order: byte j of word 4 w + k is the code of column 16 w + 4 j + k, which
// the mask 0x03030303 << 2 k of a row's word w selects. Zeros beyond the matrix's columns are the codes' duty.
//
// Threads. Workgroup (x, t) takes block row x of vector t. Of its 256 threads, 16 share a block's rows (4 each) and 16
// share the block columns; their sums meet in workgroup memory. Adjacent threads read adjacent rows.
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

var<workgroup> matvec_int8_partial: array<f32, 1024>;

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

// 16 columns: a word of each plane with the four words of codes that its masks select.
fn matvec_int8_word(low: u32, high: u32, codes: vec4<u32>) -> i32 {
    let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
    let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
    return (dot4(even & 0x0F0F0F0Fu, codes.x) + dot4((even >> 4u) & 0x0F0F0F0Fu, codes.z))
        + (dot4(odd & 0x0F0F0F0Fu, codes.y) + dot4((odd >> 4u) & 0x0F0F0F0Fu, codes.w));
}

@compute @workgroup_size(256)
fn matvec_int8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if (matvec_int8_parameters.flags & 4u) != 0u && matvec_int8_choice[token] != matvec_int8_parameters.expert {
        return;
    }
    let blocks = matvec_int8_parameters.blocks;
    let row = lane & 15u;
    var sum = vec4<f32>();
    for (var j = lane >> 4u; j < blocks; j += 16u) {
        let block = group.x * blocks + j;
        let vector = token * matvec_int8_parameters.blocks_stride + j;
        var dots = vec4<i32>();
        let c0 = matvec_int8_codes[4u * vector];
        let c1 = matvec_int8_codes[4u * vector + 1u];
        let c2 = matvec_int8_codes[4u * vector + 2u];
        let c3 = matvec_int8_codes[4u * vector + 3u];
        for (var i = 0u; i < 4u; i += 1u) {
            let low = matvec_int8_packed[128u * block + 16u * i + row];
            let high = matvec_int8_packed[128u * block + 64u + 16u * i + row];
            dots[i] = (matvec_int8_word(low.x, high.x, c0) + matvec_int8_word(low.y, high.y, c1))
                + (matvec_int8_word(low.z, high.z, c2) + matvec_int8_word(low.w, high.w, c3));
        }
        let index = matvec_int8_parameters.first_block + block;
        let offset = matvec_int8_zero_of(index) * matvec_int8_sums[vector];
        sum += matvec_int8_scale_of(index) * vec4<f32>(dots - vec4<i32>(offset));
    }
    for (var i = 0u; i < 4u; i += 1u) {
        matvec_int8_partial[64u * (lane >> 4u) + 16u * i + row] = sum[i];
    }
    workgroupBarrier();
    let out = 64u * group.x + lane;
    if lane < 64u && out < matvec_int8_parameters.rows {
        var total = 0.0;
        for (var i = 0u; i < 16u; i += 1u) {
            total += matvec_int8_partial[64u * i + lane];
        }
        total *= matvec_int8_scales[token];
        let target_index = token * matvec_int8_parameters.y_stride + matvec_int8_parameters.first_row + out;
        if (matvec_int8_parameters.flags & 2u) != 0u {
            total += matvec_int8_y[target_index];
        }
        matvec_int8_y[target_index] = total;
    }
}
