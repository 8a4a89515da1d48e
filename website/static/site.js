"use strict";
// Boxes that scroll sideways must be reachable by keyboard.
document.addEventListener("DOMContentLoaded", () => {
  const update = () => {
    for (const box of document.querySelectorAll(".table-wrapper, .content pre, .content p:has(> img)")) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    }
  };
  update();
  addEventListener("load", update);  // images have their sizes now
  addEventListener("resize", update);
});
