"use strict";

// Without this script every page can be read; with it, it can be searched and filtered.

const rules = [...document.querySelectorAll("[data-rule], details.rule")];
const search = document.getElementById("search");
const shown = document.getElementById("shown");
const boxes = [...document.querySelectorAll(".controls fieldset input")];
const differing = document.getElementById("differing");
const texts = new Map(rules.map((rule) => [rule, rule.textContent.toLowerCase()]));

/** Whether one of the statuses of a rule is shown, and every word of the search stands in its text. */
function matches(rule, statuses, words) {
  if (differing?.checked && !("differs" in rule.dataset)) return false;
  const own = rule.dataset.status.split("|");
  return own.some((status) => statuses.has(status)) && words.every((word) => texts.get(rule).includes(word));
}

function filter() {
  const statuses = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const rule of rules) {
    rule.hidden = !matches(rule, statuses, words);
    count += rule.hidden ? 0 : 1;
  }
  for (const area of document.querySelectorAll(".area")) {
    area.hidden = !area.querySelector("[data-status]:is([data-rule], .rule):not([hidden])");
  }
  shown.textContent = `${count} of ${rules.length} rules shown`;
}

/** Show, open and reach what the address names, though a filter may hide it or a fold hold it. */
function reach() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) {
    search.value = "";
    for (const box of boxes) box.checked = true;
    if (differing) differing.checked = false;
    filter();
  }
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView();
}

document.querySelector(".controls").hidden = false;
search.addEventListener("input", filter);
for (const box of document.querySelectorAll(".controls input")) box.addEventListener("change", filter);
addEventListener("hashchange", reach);
filter();
reach();
