/** The links between the pages: each keeps the address of the model. */

for (const link of document.querySelectorAll("nav a")) {
  if (link instanceof HTMLAnchorElement) link.search = location.search;
}
