/** The harness page: this runtime, as the conformance suite asks it in a browser. */

import { answer, get, put } from "./connection.js";
import { handlers } from "./handlers.js";
import { fromNpy, npy } from "./npy.js";
import { addressSource } from "./source.js";

const variant = new URLSearchParams(location.search).get("variant") ?? undefined;

/** What a browser calls itself: its name and version, without the rest of the user agent. */
function browserName() {
  const found = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(navigator.userAgent);
  if (!found) return "a browser";
  return `${{ Edg: "Edge", Version: "Safari" }[found[1]] ?? found[1]} ${found[2].split(".")[0]}`;
}

answer(
  handlers({
    info: { name: `webgpu-llama4 in ${browserName()}`, version: VERSION },
    variant,
    source: addressSource,
    read: async (directory, name) => new Uint8Array(await get(directory + name)),
    async readArray(address) {
      const { values, shape } = fromNpy(await get(address));
      return { shape, data: values };
    },
    writeArray: (address, shape, data) => put(address, npy(data, shape)),
  }),
);
