// What the pages do better with a script, and do without it: copying the key, local times, and a
// question before a key that was not copied is left behind.
"use strict";

const raw = document.getElementById("raw-key");
const copy = document.getElementById("copy");
let isCopied = false;

if (raw && copy) {
  const said = document.getElementById("copied");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    raw.select();
    try {
      // Over plain HTTP to another machine there is no clipboard: the text is selected for Ctrl+C.
      await navigator.clipboard.writeText(raw.value);
      said.textContent = "The key was copied.";
      isCopied = true;
    } catch {
      said.textContent = "The browser did not let the page copy. The key is selected: press Ctrl+C.";
    }
  });
  raw.addEventListener("focus", () => raw.select());
  raw.addEventListener("copy", () => {
    isCopied = true;
  });
  for (const link of document.querySelectorAll("main a, nav a"))
    link.addEventListener("click", (event) => {
      if (!isCopied && !confirm("You have not copied the key, and it is not shown again. Leave?")) event.preventDefault();
    });
}

for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  time.title = time.textContent;
  time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
