// matvec_raw: a raw matrix (binary16 or binary32, row-major) times vectors rounded to binary16 (rules ACT-1, ACT-8).
//
//   y[t, first_row + r] = sum over c of w_rc x_tc
//
// Threads. Workgroup (x, t) takes rows 32 x to 32 x + 31 of vector t: 16 threads share 2 rows and read 16 bytes of each
// at a time; their sums meet in workgroup memory. If a row is not a multiple of 16 bytes they read elements.
//
// Bindings: weights (u32 words of the rows), rounded (binary32, row stride rounded_stride), y.
// f16: 1 if weights are binary16 pairs, low half first, else binary32.

struct MatvecRaw {
    rows: u32,
    cols: u32,
    first_row: u32,
    y_stride: u32,
    rounded_stride: u32,
    f16: u32,
}

@group(0) @binding(0) var<storage, read> matvec_raw_weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> matvec_raw_rounded: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> matvec_raw_y: array<f32>;
@group(1) @binding(0) var<uniform> matvec_raw_parameters: MatvecRaw;

var<workgroup> matvec_raw_partial: array<f32, 512>;

fn matvec_raw_element(index: u32) -> f32 {
    if matvec_raw_parameters.f16 == 0u {
        return bitcast<f32>(matvec_raw_weights[index >> 2u][index & 3u]);
    }
    let pair = halves(matvec_raw_weights[index >> 3u][(index >> 1u) & 3u]);
    return select(pair.x, pair.y, (index & 1u) == 1u);
}

fn matvec_raw_eight(weights: vec4<u32>, first: vec4<f32>, second: vec4<f32>) -> f32 {
    return dot(vec4<f32>(halves(weights.x), halves(weights.y)), first)
        + dot(vec4<f32>(halves(weights.z), halves(weights.w)), second);
}

fn matvec_raw_four(first: u32) -> f32 {
    return (matvec_raw_partial[first] + matvec_raw_partial[first + 32u])
        + (matvec_raw_partial[first + 64u] + matvec_raw_partial[first + 96u]);
}

@compute @workgroup_size(256)
fn matvec_raw(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let rows = matvec_raw_parameters.rows;
    let cols = matvec_raw_parameters.cols;
    let vector = group.y * matvec_raw_parameters.rounded_stride;
    // Rows beyond the last are read as the last one and not written.
    let pair = lane >> 4u;
    let row_0 = min(32u * group.x + 2u * pair, rows - 1u);
    let row_1 = min(32u * group.x + 2u * pair + 1u, rows - 1u);
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    if matvec_raw_parameters.f16 != 0u && (cols & 7u) == 0u {
        let words = cols >> 3u;
        for (var c = lane & 15u; c < words; c += 16u) {
            let x_0 = matvec_raw_rounded[(vector >> 2u) + 2u * c];
            let x_1 = matvec_raw_rounded[(vector >> 2u) + 2u * c + 1u];
            sum_0 += matvec_raw_eight(matvec_raw_weights[row_0 * words + c], x_0, x_1);
            sum_1 += matvec_raw_eight(matvec_raw_weights[row_1 * words + c], x_0, x_1);
        }
    } else if matvec_raw_parameters.f16 == 0u && (cols & 3u) == 0u {
        let words = cols >> 2u;
        for (var c = lane & 15u; c < words; c += 16u) {
            let x = matvec_raw_rounded[(vector >> 2u) + c];
            sum_0 += dot(bitcast<vec4<f32>>(matvec_raw_weights[row_0 * words + c]), x);
            sum_1 += dot(bitcast<vec4<f32>>(matvec_raw_weights[row_1 * words + c]), x);
        }
    } else {
        for (var c = lane & 15u; c < cols; c += 16u) {
            let x = matvec_raw_rounded[(vector + c) >> 2u][(vector + c) & 3u];
            sum_0 += matvec_raw_element(row_0 * cols + c) * x;
            sum_1 += matvec_raw_element(row_1 * cols + c) * x;
        }
    }
    matvec_raw_partial[32u * (lane & 15u) + 2u * pair] = sum_0;
    matvec_raw_partial[32u * (lane & 15u) + 2u * pair + 1u] = sum_1;
    workgroupBarrier();
    let row = 32u * group.x + lane;
    if lane < 32u && row < rows {
        let sum = (matvec_raw_four(lane) + matvec_raw_four(lane + 128u))
            + (matvec_raw_four(lane + 256u) + matvec_raw_four(lane + 384u));
        matvec_raw_y[group.y * matvec_raw_parameters.y_stride + matvec_raw_parameters.first_row + row] = sum;
    }
}
