/** The harness page: this runtime, as the conformance suite asks it in a browser. */

import manifest from "../package.json" with { type: "json" };
import { answer, get, put } from "./connection.js";
import { directory } from "./directory.js";
import { handlers } from "./handlers.js";

const variant = new URLSearchParams(location.search).get("variant") ?? undefined;

/** What a browser calls itself: its name and version, without the rest of the user agent. */
function browserName() {
  const found = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(navigator.userAgent);
  if (!found) return "a browser";
  return `${{ Edg: "Edge", Version: "Safari" }[found[1]] ?? found[1]} ${found[2].split(".")[0]}`;
}

answer(
  handlers({
    info: { name: `webgpu-llama4 in ${browserName()}`, version: manifest.version },
    variant,
    directory,
    read: async (address) => new Uint8Array(await get(address)),
    write: put,
  }),
);
