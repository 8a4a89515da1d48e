
for (const fold of document.querySelectorAll(".fold")) {
  const area = fold.closest("tbody");
  const button = document.createElement("button");
  const name = fold.parentElement.firstChild.textContent;
  /** Say what the button would do. */
  function label() {
    const folded = "folded" in area.dataset;
    button.textContent = folded ? "unfold" : "fold";
    button.setAttribute("aria-expanded", String(!folded));
    button.setAttribute("aria-label", `${button.textContent} the rules of ${name}`);
  }
  button.type = "button";
  button.addEventListener("click", () => {
    area.toggleAttribute("data-folded");
    label();
  });
  label();
  fold.append(button);
}

/** Open the rule that the address names, though its area be folded. */
function openRule() {
  const row = document.getElementById(location.hash.slice(1));
  const details = row?.querySelector("details");
  if (!details) return;
  if ("folded" in row.closest("tbody").dataset) row.closest("tbody").querySelector(".fold button").click();
  details.open = true;
}

addEventListener("hashchange", openRule);
openRule();
