// matmul_binary16: an INT4 matrix times the binary16 vectors of a chunk (rules ACT-8, NUM-3): matvec_binary16 for many.
//
//   y[t, first_row + r] (+)= sum over j of scale_b * sum over c of (code_rc - zero_point_b) x_tc
//
// Layout: see matvec_binary16.
//
// A code becomes a binary32 number as in matvec_binary16, without a power of 16.
//
// Threads. Workgroup (x, z) takes block row x and vectors 64 z to 64 z + 63. It takes 32 columns (two words of each plane) at a
// time: their weights, except the scale, and the vectors' values go to workgroup memory; then each thread multiplies 4 rows
// by 4 vectors. Steps are repeated 32 times instead of a loop, which compilers neither unroll nor keep in registers.
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

// Column c of the 32 at 16 c, then rows or vectors, four at a place.
var<workgroup> matmul_binary16_weights: array<vec4<f32>, 512>;
var<workgroup> matmul_binary16_vectors: array<vec4<f32>, 512>;

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

// One column of 4 rows times one of 4 vectors.
fn matmul_binary16_step(
    row: u32,
    vector: u32,
    part_0: ptr<function, vec4<f32>>,
    part_1: ptr<function, vec4<f32>>,
    part_2: ptr<function, vec4<f32>>,
    part_3: ptr<function, vec4<f32>>,
) {
    let weights = matmul_binary16_weights[row];
    let vectors = matmul_binary16_vectors[vector];
    *part_0 += weights * vectors.x;
    *part_1 += weights * vectors.y;
    *part_2 += weights * vectors.z;
    *part_3 += weights * vectors.w;
}

// Unpacks the four codes of a byte of each plane, in the low bits of `low` and `high`. zero: 2^23 + zero_point.
fn matmul_binary16_unpack(place: u32, part: u32, low: u32, high: u32, zero: f32) {
    let ones = 0x4B000000u;
    matmul_binary16_weights[place][part] = bitcast<f32>(ones | (low & 3u) | ((high << 2u) & 12u)) - zero;
    matmul_binary16_weights[place + 16u][part] = bitcast<f32>(ones | ((low >> 2u) & 3u) | (high & 12u)) - zero;
    matmul_binary16_weights[place + 32u][part] = bitcast<f32>(ones | ((low >> 4u) & 3u) | ((high >> 2u) & 12u)) - zero;
    matmul_binary16_weights[place + 48u][part] = bitcast<f32>(ones | ((low >> 6u) & 3u) | ((high >> 4u) & 12u)) - zero;
}

fn matmul_binary16_copy(place: u32, part: u32, x: vec4<f32>) {
    matmul_binary16_vectors[place][part] = x.x;
    matmul_binary16_vectors[place + 16u][part] = x.y;
    matmul_binary16_vectors[place + 32u][part] = x.z;
    matmul_binary16_vectors[place + 48u][part] = x.w;
}

fn matmul_binary16_store(token: u32, row: u32, sum: vec4<f32>) {
    if token < matmul_binary16_state[1] {
        let first = token * matmul_binary16_parameters.y_stride + matmul_binary16_parameters.first_row + row;
        for (var k = 0u; k < 4u; k += 1u) {
            if row + k < matmul_binary16_parameters.rows {
                var value = sum[k];
                if (matmul_binary16_parameters.flags & 2u) != 0u {
                    value += matmul_binary16_y[first + k];
                }
                matmul_binary16_y[first + k] = value;
            }
        }
    }
}

@compute @workgroup_size(256)
fn matmul_binary16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = matmul_binary16_state[1];
    let first_token = 64u * group.y;
    if first_token >= count {
        return;
    }
    let blocks = matmul_binary16_parameters.blocks;
    // A warp of 32 threads takes 8 times 4 rows and 4 times 4 vectors.
    let rows = (lane & 7u) + 8u * ((lane >> 5u) & 1u);
    let tokens = ((lane >> 3u) & 3u) + 4u * (lane >> 6u);
    // What this thread unpacks and copies: byte `quarter` of two words of row and of vector `item`, 4 columns each.
    let item = lane & 63u;
    let quarter = lane >> 6u;
    let shift = 8u * quarter;
    let place = 64u * quarter + (item >> 2u);
    // Vectors beyond the last are read as the last one and not written.
    let load_vector = min(first_token + item, count - 1u) * matmul_binary16_parameters.blocks_stride;
    var sum_0 = vec4<f32>();
    var sum_1 = vec4<f32>();
    var sum_2 = vec4<f32>();
    var sum_3 = vec4<f32>();
    for (var j = 0u; j < blocks; j += 1u) {
        let block = group.x * blocks + j;
        let zero = 8388608.0 + f32(matmul_binary16_zero_of(matmul_binary16_parameters.first_block + block));
        let scale = matmul_binary16_scale_of(matmul_binary16_parameters.first_block + block);
        let low = matmul_binary16_packed[128u * block + item];
        let high = matmul_binary16_packed[128u * block + 64u + item];
        var part_0 = vec4<f32>();
        var part_1 = vec4<f32>();
        var part_2 = vec4<f32>();
        var part_3 = vec4<f32>();
        for (var w = 0u; w < 4u; w += 2u) {
            let x = 16u * (load_vector + j) + 4u * w + quarter;
            let x_0 = matmul_binary16_rounded[x];
            let x_1 = matmul_binary16_rounded[x + 4u];
            let low_words = select(low.xy, low.zw, w == 2u) >> vec2<u32>(shift);
            let high_words = select(high.xy, high.zw, w == 2u) >> vec2<u32>(shift);
            workgroupBarrier();
            matmul_binary16_unpack(place, item & 3u, low_words.x, high_words.x, zero);
            matmul_binary16_unpack(place + 256u, item & 3u, low_words.y, high_words.y, zero);
            matmul_binary16_copy(place, item & 3u, x_0);
            matmul_binary16_copy(place + 256u, item & 3u, x_1);
            workgroupBarrier();
            matmul_binary16_step(rows + 0u, tokens + 0u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 16u, tokens + 16u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 32u, tokens + 32u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 48u, tokens + 48u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 64u, tokens + 64u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 80u, tokens + 80u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 96u, tokens + 96u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 112u, tokens + 112u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 128u, tokens + 128u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 144u, tokens + 144u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 160u, tokens + 160u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 176u, tokens + 176u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 192u, tokens + 192u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 208u, tokens + 208u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 224u, tokens + 224u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 240u, tokens + 240u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 256u, tokens + 256u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 272u, tokens + 272u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 288u, tokens + 288u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 304u, tokens + 304u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 320u, tokens + 320u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 336u, tokens + 336u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 352u, tokens + 352u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 368u, tokens + 368u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 384u, tokens + 384u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 400u, tokens + 400u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 416u, tokens + 416u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 432u, tokens + 432u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 448u, tokens + 448u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 464u, tokens + 464u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 480u, tokens + 480u, &part_0, &part_1, &part_2, &part_3);
            matmul_binary16_step(rows + 496u, tokens + 496u, &part_0, &part_1, &part_2, &part_3);
        }
        sum_0 += scale * part_0;
        sum_1 += scale * part_1;
        sum_2 += scale * part_2;
        sum_3 += scale * part_3;
    }
    let row = 64u * group.x + 4u * rows;
    let token = first_token + 4u * tokens;
    matmul_binary16_store(token, row, sum_0);
    matmul_binary16_store(token + 1u, row, sum_1);
    matmul_binary16_store(token + 2u, row, sum_2);
    matmul_binary16_store(token + 3u, row, sum_3);
}
