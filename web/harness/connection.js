/**
 * The page's end of the protocol of adapters (conformance/ADAPTERS.md): requests come over a WebSocket, one
 * after the other; files are addresses to fetch and to put.
 *
 * @module harness/connection
 */

import { respond } from "./response.js";

/** @typedef {import("./response.js").Request} Request */
/** @typedef {import("./response.js").Handlers} Handlers */

/** The suite's socket, next to this page's folder. */
const SOCKET = new URL("../socket", location.href);
SOCKET.protocol = SOCKET.protocol === "https:" ? "wss:" : "ws:";

/** The code with which the suite turns away a second page. */
const BUSY = 4001;

/** @param {string} id @param {string} text */
function show(id, text) {
  const element = document.getElementById(id);
  if (element) element.textContent = text;
}

/** Answers requests until the connection ends. @param {Handlers} handlers */
export function answer(handlers) {
  const socket = new WebSocket(SOCKET);
  let answered = 0;
  let done = false;
  /** @type {Promise<void>} */
  let queue = Promise.resolve();

  /** @param {unknown} text */
  const log = (text) => {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ log: String(text).slice(0, 300) }));
    }
  };
  for (const level of /** @type {const} */ (["warn", "error"])) {
    const original = console[level];
    console[level] = (...words) => {
      original(...words);
      log(words.map(String).join(" "));
    };
  }
  addEventListener("error", (event) => log(event.message));
  addEventListener("unhandledrejection", (event) => log(event.reason));

  /** @param {Request} request */
  const next = async (request) => {
    show("last", JSON.stringify(request).slice(0, 400));
    if (request.op === "bye") {
      done = true;
      socket.close();
      return;
    }
    socket.send(JSON.stringify(await respond(handlers, request)));
    answered += 1;
    show("count", String(answered));
  };

  socket.onopen = () => show("state", "Connected: this page answers the requests of the suite.");
  socket.onmessage = (event) => {
    const request = JSON.parse(event.data);
    queue = queue.then(() => next(request));
  };
  socket.onclose = (event) => {
    if (event.code === BUSY) {
      show("state", "Another page is connected to this run.");
    } else if (done) {
      show("state", "The run has ended; this page can be closed.");
    } else {
      show("state", "The connection was lost; this page will try again.");
      setTimeout(() => location.reload(), 1000); // with a new state: the state is unknown
    }
  };
}

/** Fetches the bytes of a file. @param {string} address @returns {Promise<ArrayBuffer>} */
export async function get(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
  return response.arrayBuffer();
}

/** Puts the bytes of a file. @param {string} address @param {BufferSource | Blob} bytes */
export async function put(address, bytes) {
  const response = await fetch(address, { method: "PUT", body: bytes });
  if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
}
