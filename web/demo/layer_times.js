/** The picture of the time that each layer takes, and the same as a table. */

import { milliseconds } from "./quantities.js";

const WIDTH = 270;
const HEIGHT = 120;
const LEFT = 4;
const BASE = HEIGHT - 18;
const TOP = 16;
const WIDEST = 32;

/** @param {string} name @param {Record<string, string | number>} attributes @param {string} [text] */
function svg(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

/** @typedef {Pick<import("./webgpu-llama4.js").ProfileReport, "block_times_ms">} Profile */

/** Returns the times in a sentence or two. @param {Profile} profile */
export function sentence(profile) {
  const times = profile.block_times_ms.filter((time) => time !== null);
  if (!times.length) return "The device does not report the times of layers.";
  const total = times.reduce((sum, time) => sum + time, 0);
  const slowest = profile.block_times_ms.indexOf(Math.max(...times));
  const layers = `${times.length} ${times.length === 1 ? "layer takes" : "layers take"}`;
  return `${layers} ${milliseconds(total)} for one token; the slowest is layer ${slowest} with ${milliseconds(times[slowest] ?? 0)}.`;
}

/** Returns a picture with a bar for each layer, in order. @param {Profile} profile */
export function picture(profile) {
  const times = profile.block_times_ms.map((time) => time ?? 0);
  const most = Math.max(...times, Number.MIN_VALUE);
  const step = Math.min(WIDEST, (WIDTH - LEFT) / times.length);
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": sentence(profile),
  });
  drawing.append(
    svg("line", { x1: 0, x2: WIDTH, y1: BASE + 0.5, y2: BASE + 0.5 }),
    svg("line", { x1: 0, x2: WIDTH, y1: TOP + 0.5, y2: TOP + 0.5 }),
    svg("text", { x: 0, y: TOP - 5 }, milliseconds(most)),
    svg("text", { x: 0, y: HEIGHT - 4 }, "layer 0"),
    ...(times.length > 4
      ? [
          svg(
            "text",
            { x: LEFT + step * times.length, y: HEIGHT - 4, "text-anchor": "end" },
            `layer ${times.length - 1}`,
          ),
        ]
      : []),
  );
  times.forEach((time, layer) => {
    const height = ((BASE - TOP) * time) / most;
    const place = {
      x: LEFT + layer * step,
      y: BASE - height,
      width: Math.max(1, step * 0.8),
      height,
      rx: Math.min(1.5, step / 4),
    };
    const bar = svg("rect", place);
    bar.append(svg("title", {}, `layer ${layer}: ${milliseconds(time)}`));
    drawing.append(bar);
  });
  return drawing;
}

/** Returns the same as a table, folded. @param {Profile} profile */
export function table(profile) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "As a table";
  const rows = document.createElement("table");
  const head = rows.createTHead().insertRow();
  for (const name of ["Layer", "Time"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = rows.createTBody();
  profile.block_times_ms.forEach((time, layer) => {
    const row = body.insertRow();
    row.insertCell().textContent = String(layer);
    row.insertCell().textContent = time === null ? "unknown" : milliseconds(time);
  });
  details.append(summary, rows);
  return details;
}
