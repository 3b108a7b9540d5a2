// Search: hides what does not hold every word that was typed. Copy: one button per block of code.
const search = document.getElementById("search");
const found = document.getElementById("found");
const items = [...document.querySelectorAll("[data-words]")];
const holders = [...document.querySelectorAll("main > section, nav > ul > li")].filter((one) => one.querySelector("[data-words]"));

function narrow() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items) item.hidden = !wanted.every((word) => item.dataset.words.includes(word));
  for (const holder of holders) holder.hidden = !holder.querySelector("[data-words]:not([hidden])");
  const left = document.querySelectorAll("article[data-words]:not([hidden])").length;
  found.textContent = wanted.length ? `${left} of ${document.querySelectorAll("article[data-words]").length}` : "";
}

search.addEventListener("input", narrow);
search.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  search.value = "";
  narrow();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea")) return;
  event.preventDefault();
  search.focus();
});
// A link from elsewhere to an operation that is hidden shows everything again.
window.addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.closest("[hidden]")) return;
  search.value = "";
  narrow();
  target.scrollIntoView();
});

// Beside its curl command there is room for the answer.
if (matchMedia("(min-width: 1180px)").matches) for (const one of document.querySelectorAll(".shown details")) one.open = true;

for (const block of document.querySelectorAll("pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  const holder = document.createElement("div");
  holder.className = "code";
  block.replaceWith(holder);
  holder.append(block, button);
}
