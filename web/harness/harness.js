/** The harness page: this runtime, as the conformance suite tests it in a browser. */

import manifest from "../package.json" with { type: "json" };
import { answer, get, put } from "./connection.js";
import { directory } from "./directory.js";
import { handlers } from "./handlers.js";
import { WORKER_INTERFACE } from "./worker_interface.js";

const parameters = new URLSearchParams(location.search);
const variant = parameters.get("variant") ?? undefined;
const inWorker = parameters.get("thread") === "worker";

/** Returns the name and version of the browser, without the rest of the user agent. */
function browserName() {
  const match = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(navigator.userAgent);
  if (!match) return "a browser";
  return `${{ Edg: "Edge", Version: "Safari" }[match[1]] ?? match[1]} ${match[2].split(".")[0]}`;
}

answer(
  handlers({
    info: {
      name: `webgpu-llama4 in ${inWorker ? "a worker of " : ""}${browserName()}`,
      version: manifest.version,
    },
    variant,
    interface: inWorker ? WORKER_INTERFACE : undefined,
    directory,
    read: async (address) => new Uint8Array(await get(address)),
    write: put,
  }),
);
