function faultsOfLooks() {
  // Returns what is wrong with the looks of the page. Playwright calls it only if it is the first text of the file.
  const faults = [];
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((part, i) => a * part + (1 - a) * below[i]);
  const groundOf = (element) => {
    if (element === null)
      return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    const color = numbers(getComputedStyle(element).backgroundColor);
    return color[3] === 0 ? groundOf(element.parentElement) : over(color, groundOf(element.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const nameOf = (element) =>
    `${element.tagName.toLowerCase()}#${element.id}.${element.className} "${element.textContent.trim().slice(0, 30)}"`;
  if (document.documentElement.scrollWidth > innerWidth)
    faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
  let texts = 0;
  for (const element of document.body.querySelectorAll("*")) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.disabled) continue;
    const style = getComputedStyle(element);
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const kinds = [];
    if (own || element.matches("input:not([type=range], [type=checkbox]), textarea"))
      kinds.push([element instanceof SVGElement ? style.fill : style.color, "text"]);
    if (element.placeholder) kinds.push([getComputedStyle(element, "::placeholder").color, "placeholder"]);
    for (const [color, kind] of kinds) {
      texts++;
      const ground = groundOf(element instanceof SVGElement ? element.ownerSVGElement : element);
      const ratio = contrast(over(numbers(color), ground), ground);
      if (ratio < 4.5) faults.push(`${kind} of ${nameOf(element)} has a contrast of ${ratio.toFixed(2)}`);
    }
    if (
      element.matches("input, textarea, progress, select") &&
      !element.labels.length &&
      !element.ariaLabel
    ) {
      faults.push(`${nameOf(element)} has no label`);
    }
    if (element.matches("button, a") && !element.textContent.trim() && !element.ariaLabel)
      faults.push(`${nameOf(element)} has no name`);
    const box = element.getBoundingClientRect();
    if (element.matches("button, input, textarea, summary") && Math.min(box.width, box.height) < 18) {
      faults.push(`${nameOf(element)} is ${box.width} x ${box.height}`);
    }
    if (
      element.matches("label, button, h1, h2, dd") &&
      element.scrollWidth > element.clientWidth + 1 &&
      style.display !== "inline"
    ) {
      faults.push(`${nameOf(element)} is cut off`);
    }
  }
  return { texts, faults };
}
