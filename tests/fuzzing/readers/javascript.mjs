// The validator of webgpu-llama4, which answers for batches of packages on standard input.
//
// A message is the length of a JSON text (u32, little-endian), the text, and the bytes of files. The text is an
// array of packages; a package is an array of [name, kind, size]. The answer is one line with a rule, null or
// {crash} for each package.

import process from "node:process";
import { PackageError } from "../../../web/src/errors.js";
import { validate } from "../../../web/src/package/validate.js";

/** Yields messages of standard input. */
async function* messages() {
  let waiting = Buffer.alloc(0);
  for await (const piece of process.stdin) {
    waiting = waiting.length === 0 ? piece : Buffer.concat([waiting, piece]);
    while (waiting.length >= 8) {
      const end = 8 + waiting.readUInt32LE(0) + waiting.readUInt32LE(4);
      if (waiting.length < end) break;
      yield waiting.subarray(0, end);
      waiting = waiting.subarray(end);
    }
  }
}

/** Returns the packages of a message, as directories in memory. */
function directories(message) {
  const text = message.readUInt32LE(0);
  let at = 8 + text;
  return JSON.parse(message.toString("utf-8", 8, at)).map((entries) => {
    const files = new Map();
    for (const [name, kind, size] of entries) {
      files.set(name, { name, kind, size, bytes: message.subarray(at, at + size) });
      at += size;
    }
    return {
      list: async () => [...files.values()].map(({ name, kind, size }) => ({ name, kind, size })),
      read: async (name, offset, length) => {
        const { bytes } = files.get(name);
        if (offset + length > bytes.length)
          throw new PackageError(`${name} is shorter`, { rule: "LLQ-PKG-8" });
        return Uint8Array.from(bytes.subarray(offset, offset + length));
      },
    };
  });
}

for await (const message of messages()) {
  const verdicts = [];
  for (const directory of directories(message)) {
    try {
      verdicts.push((await validate(directory)).rule);
    } catch (error) {
      verdicts.push({ crash: `${error.name}: ${error.message}`.slice(0, 200) });
    }
  }
  process.stdout.write(`${JSON.stringify(verdicts)}\n`);
}
