// A harness whose runtime decodes on the CPU, and misbehaves when a test asks it to by the name of a tensor.
import { answer, get, put } from "../harness/connection.js";
import { toNpy } from "../harness/npy.js";

const align = (n) => 256 * Math.ceil(n / 256);

function binary16(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

async function part(base, metadata, { shard, offset, byte_length }) {
  const address = base + metadata.shards[shard].file;
  const response = await fetch(address, {
    headers: { range: `bytes=${offset}-${offset + byte_length - 1}` },
  });
  if (response.status !== 206) throw new Error(`${address}: HTTP ${response.status}`);
  return new DataView(await response.arrayBuffer());
}

async function decode({ package: base, tensor, output }) {
  const misbehave = MISBEHAVIOUR[tensor];
  if (misbehave) return misbehave();
  const metadata = JSON.parse(new TextDecoder().decode(await get(`${base}metadata.json`)));
  const entry = metadata.tensors.find((one) => one.name === tensor);
  const [rows, cols = 1] = entry.shape;
  const weights = new Float32Array(rows * cols);
  for (const one of entry.parts) {
    const view = await part(base, metadata, one);
    const across = Math.ceil(cols / 64);
    const blocks = Math.ceil(one.num_rows / 64) * across;
    const affine = entry.dtype === "int4_affine";
    const zeroPoints = 256 + align(2 * blocks);
    const packed = zeroPoints + (affine ? align(blocks) : 0);
    for (let i = 0; i < one.num_rows * cols; i++) {
      const row = Math.floor(i / cols);
      const col = i % cols;
      const at = one.first_row * cols + i;
      if (entry.dtype === "f32") weights[at] = view.getFloat32(4 * i, true);
      else if (entry.dtype === "f16") weights[at] = binary16(view.getUint16(2 * i, true));
      else {
        const block = Math.floor(row / 64) * across + Math.floor(col / 64);
        const element = 64 * (row % 64) + (col % 64);
        const byte = packed + 2048 * block + (element >> 2);
        const shift = 2 * (element & 3);
        const code = ((view.getUint8(byte) >> shift) & 3) + 4 * ((view.getUint8(byte + 1024) >> shift) & 3);
        const zeroPoint = affine ? view.getInt8(zeroPoints + block) : 8;
        weights[at] = binary16(view.getUint16(256 + 2 * block, true)) * (code - zeroPoint);
      }
    }
  }
  await put(output, toNpy(weights, entry.shape));
}

const MISBEHAVIOUR = {
  hang: () => new Promise(() => {}),
  loop: () => {
    for (;;);
  },
  close: () => {
    location.href = "about:blank";
    return new Promise(() => {});
  },
  complain: () => {
    console.error("the adapter was lost");
    throw new TypeError("this cannot be");
  },
  silent: () => ({}),
  chatty: () => ({ ok: "yes" }),
};

answer({
  hello: ({ protocol }) => ({
    op: "hello",
    protocol,
    name: "decoder",
    version: "1",
    language: "JavaScript",
    capabilities: ["decode"],
  }),
  decode,
});
