/** Tokens drawn on a device from given logits (spec: Execution program, Sampled and Adjusted choice). */

import { USAGE } from "../gpu/buffer_usage.js";
import { CHOSEN, Executor } from "../gpu/executor.js";
import { OPERATION } from "../gpu/operations.js";
import { Adjuster } from "./adjuster.js";
import { samplingBytes } from "./sampling.js";

/** @typedef {{sequence: readonly number[], mask: Uint32Array | null}} Adjustment ids so far, and allowed ids */

const WORD_BYTES = 4;

/**
 * Returns the tokens of `count` positions, each drawn from the same logits (LLQ-GEN-3).
 *
 * @param {import("../gpu/device.js").Device} device
 * @param {import("../gpu/program.js").Program} program that draws one token from the buffer `logits`
 * @param {Float32Array<ArrayBuffer>} logits
 * @param {import("./sampling.js").Sampling} sampling
 * @param {number} position of the first token
 * @param {number} count
 * @param {Adjustment} [adjustment] without it, only GEN-3 applies
 */
export async function sample(device, program, logits, sampling, position, count, adjustment) {
  const executor = new Executor(program, device, { shards: [], context: 1 });
  const staging = device.gpu.createBuffer({
    label: "drawn",
    size: WORD_BYTES * count,
    usage: USAGE.MAP_READ | USAGE.COPY_DST,
  });
  const source =
    adjustment &&
    device.gpu.createBuffer({
      label: "given logits",
      size: logits.byteLength,
      usage: USAGE.COPY_SRC | USAGE.COPY_DST,
    });
  /** @type {Adjuster | null} */
  let adjuster = null;
  try {
    await executor.prepare([OPERATION]);
    executor.write("logits", logits);
    executor.write("sampling", samplingBytes(sampling));
    if (adjustment !== undefined && source !== undefined) {
      device.gpu.queue.writeBuffer(source, 0, logits);
      executor.write("tokens", new Uint32Array(adjustment.sequence.slice(-1)));
      adjuster = await Adjuster.make(executor);
      adjuster.begin(sampling, adjustment.sequence);
      adjuster.allow(adjustment.mask);
    }
    executor.write("state", new Uint32Array([position, 0])); // a choice moves on to the next position
    const encoder = device.gpu.createCommandEncoder({ label: "sample" });
    for (let n = 0; n < count; n++) {
      if (adjuster !== null && source !== undefined) {
        encoder.copyBufferToBuffer(source, 0, executor.resource("logits"), 0, logits.byteLength);
        adjuster.encode(encoder);
      }
      executor.encode(encoder, [OPERATION], 1);
      const chosen = WORD_BYTES * CHOSEN;
      encoder.copyBufferToBuffer(executor.resource("state"), chosen, staging, WORD_BYTES * n, WORD_BYTES);
    }
    device.gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    device.check();
    return Array.from(new Uint32Array(staging.getMappedRange()));
  } finally {
    staging.destroy();
    source?.destroy();
    adjuster?.dispose();
    executor.dispose();
  }
}
