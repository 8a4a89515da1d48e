
/** Put text on the clipboard, also where a page from a file may not use the clipboard's own interface. */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) return "Select and copy it";
  }
  return "Copied";
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.textContent = await copy(button.parentElement.querySelector("code"));
    shown.textContent = `${button.textContent}: the command that reruns it`;
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
