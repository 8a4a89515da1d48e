"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const filter = document.querySelector("#kill-filter");
  filter?.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of document.querySelectorAll("table.kills tbody tr")) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
});
