/** Tokens drawn on a device from given logits (spec: Execution program, Sampled choice). */

import { USAGE } from "../gpu/buffer_usage.js";
import { CHOSEN, Executor } from "../gpu/executor.js";
import { OPERATION } from "../gpu/operations.js";
import { samplingBytes } from "./sampling.js";

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
 */
export async function sample(device, program, logits, sampling, position, count) {
  const executor = new Executor(program, device, { shards: [], context: 1 });
  const staging = device.gpu.createBuffer({
    label: "drawn",
    size: WORD_BYTES * count,
    usage: USAGE.MAP_READ | USAGE.COPY_DST,
  });
  try {
    await executor.prepare([OPERATION]);
    executor.write("logits", logits);
    executor.write("sampling", samplingBytes(sampling));
    executor.write("state", new Uint32Array([position, 0])); // a choice moves on to the next position
    const encoder = device.gpu.createCommandEncoder({ label: "sample" });
    for (let n = 0; n < count; n++) {
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
    executor.dispose();
  }
}
