// matvec_raw: a raw matrix (binary16 or binary32, row-major) times vectors rounded to binary16 (rules ACT-1, ACT-8).
//
//   y[t, first_row + r] = sum over c of w_rc x_tc
//
// Threads. Workgroup (x, t) takes rows 32 x to 32 x + 31 of vector t: 32 threads share 4 rows and read 16 bytes of
// a row at a time; their sums meet in workgroup memory. Where a row is no multiple of 16 bytes they read elements.
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

var<workgroup> matvec_raw_partial: array<f32, 1024>;

fn matvec_raw_element(index: u32) -> f32 {
    if matvec_raw_parameters.f16 == 0u {
        return bitcast<f32>(matvec_raw_weights[index >> 2u][index & 3u]);
    }
    let pair = halves(matvec_raw_weights[index >> 3u][(index >> 1u) & 3u]);
    return select(pair.x, pair.y, (index & 1u) == 1u);
}

@compute @workgroup_size(256)
fn matvec_raw(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let rows = matvec_raw_parameters.rows;
    let cols = matvec_raw_parameters.cols;
    let vector = group.y * matvec_raw_parameters.rounded_stride;
    // Rows beyond the last are read as the last one and not written.
    let first = 32u * group.x + 4u * (lane >> 5u);
    let row = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
    var sum = vec4<f32>();
    if matvec_raw_parameters.f16 != 0u && (cols & 7u) == 0u {
        let words = cols >> 3u;
        for (var c = lane & 31u; c < words; c += 32u) {
            let x0 = matvec_raw_rounded[(vector >> 2u) + 2u * c];
            let x1 = matvec_raw_rounded[(vector >> 2u) + 2u * c + 1u];
            for (var i = 0u; i < 4u; i += 1u) {
                let w = matvec_raw_weights[row[i] * words + c];
                sum[i] += dot(vec4<f32>(halves(w.x), halves(w.y)), x0) + dot(vec4<f32>(halves(w.z), halves(w.w)), x1);
            }
        }
    } else if matvec_raw_parameters.f16 == 0u && (cols & 3u) == 0u {
        let words = cols >> 2u;
        for (var c = lane & 31u; c < words; c += 32u) {
            let x = matvec_raw_rounded[(vector >> 2u) + c];
            for (var i = 0u; i < 4u; i += 1u) {
                sum[i] += dot(bitcast<vec4<f32>>(matvec_raw_weights[row[i] * words + c]), x);
            }
        }
    } else {
        for (var c = lane & 31u; c < cols; c += 32u) {
            let x = matvec_raw_rounded[(vector + c) >> 2u][(vector + c) & 3u];
            for (var i = 0u; i < 4u; i += 1u) {
                sum[i] += matvec_raw_element(row[i] * cols + c) * x;
            }
        }
    }
    for (var i = 0u; i < 4u; i += 1u) {
        matvec_raw_partial[32u * (4u * (lane >> 5u) + i) + (lane & 31u)] = sum[i];
    }
    workgroupBarrier();
    let out = 32u * group.x + lane;
    if lane < 32u && out < rows {
        var total = 0.0;
        for (var i = 0u; i < 32u; i += 1u) {
            // Rotated, so that the 32 threads read 32 different banks.
            total += matvec_raw_partial[32u * lane + ((i + lane) & 31u)];
        }
        matvec_raw_y[group.y * matvec_raw_parameters.y_stride + matvec_raw_parameters.first_row + out] = total;
    }
}
