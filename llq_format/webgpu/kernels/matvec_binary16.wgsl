// matvec_binary16: an INT4 matrix times vectors rounded to binary16, one vector at a time (rules ACT-8, NUM-3).
//
//   y[t, first_row + r] (+)= sum over j of scale_b * sum over c of (code_rc - zero_point_b) x_tc
//
// with b the block of row r and block column j, c its 64 columns, x the rounded values of vector t as binary32.
//
// A code becomes a binary32 number without a conversion: or-ed with 0x4B000000, four bits at bit 4 k are 2^23 + code * 16^k,
// from which 2^23 + zero_point * 16^k is subtracted exactly. The lanes are weighted by 16^-k, which is exact too, at
// the end of a block.
//
// Layout and threads are those of matvec_int8; `rounded` is in the order of columns, zero beyond the matrix's.
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

@compute @workgroup_size(256)
fn matvec_binary16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = group.y;
    if (matvec_binary16_parameters.flags & 4u) != 0u
        && matvec_binary16_choice[token] != matvec_binary16_parameters.expert {
        return;
    }
    let blocks = matvec_binary16_parameters.blocks;
    let row = lane & 15u;
    var sum = vec4<f32>();
    for (var j = lane >> 4u; j < blocks; j += 16u) {
        let block = group.x * blocks + j;
        let vector = 16u * (token * matvec_binary16_parameters.blocks_stride + j);
        let index = matvec_binary16_parameters.first_block + block;
        let zero = vec4<f32>(8388608.0)
            + f32(matvec_binary16_zero_of(index)) * vec4<f32>(1.0, 16.0, 256.0, 4096.0);
        let scale = matvec_binary16_scale_of(index);
        var parts = array<vec4<f32>, 4>();
        for (var w = 0u; w < 4u; w += 1u) {
            let x0 = matvec_binary16_rounded[vector + 4u * w];
            let x1 = matvec_binary16_rounded[vector + 4u * w + 1u];
            let x2 = matvec_binary16_rounded[vector + 4u * w + 2u];
            let x3 = matvec_binary16_rounded[vector + 4u * w + 3u];
            for (var i = 0u; i < 4u; i += 1u) {
                let low = matvec_binary16_packed[128u * block + 16u * i + row][w];
                let high = matvec_binary16_packed[128u * block + 64u + 16u * i + row][w];
                let even = (low & 0x33333333u) | ((high << 2u) & 0xCCCCCCCCu);
                let odd = ((low >> 2u) & 0x33333333u) | (high & 0xCCCCCCCCu);
                parts[i] += (matvec_binary16_lanes(even, zero) * vec4<f32>(x0.xz, x1.xz)
                    + matvec_binary16_lanes(odd, zero) * vec4<f32>(x0.yw, x1.yw))
                    + (matvec_binary16_lanes(even >> 16u, zero) * vec4<f32>(x2.xz, x3.xz)
                    + matvec_binary16_lanes(odd >> 16u, zero) * vec4<f32>(x2.yw, x3.yw));
            }
        }
        for (var i = 0u; i < 4u; i += 1u) {
            sum[i] += scale * dot(parts[i], vec4<f32>(1.0, 0.0625, 0.00390625, 0.000244140625));
        }
    }
    for (var i = 0u; i < 4u; i += 1u) {
        matvec_binary16_partial[64u * (lane >> 4u) + 16u * i + row] = sum[i];
    }
    workgroupBarrier();
    let out = 64u * group.x + lane;
    if lane < 64u && out < matvec_binary16_parameters.rows {
        var total = 0.0;
        for (var i = 0u; i < 16u; i += 1u) {
            total += matvec_binary16_partial[64u * i + lane];
        }
        let target_index = token * matvec_binary16_parameters.y_stride + matvec_binary16_parameters.first_row + out;
        if (matvec_binary16_parameters.flags & 2u) != 0u {
            total += matvec_binary16_y[target_index];
        }
        matvec_binary16_y[target_index] = total;
    }
}
