// Copies the text of the element that a [data-copy] button names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    // No clipboard without https: select it, so that the keyboard can copy.
    getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = said; }, 2000);
});

// A form with [data-fetch-into] shows its answer in that element; [data-with-form] sends another form's fields too.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) return event.preventDefault();
  if (!form.dataset.fetchInto) return;
  event.preventDefault();
  const place = document.getElementById(form.dataset.fetchInto);
  const button = form.querySelector("[type=submit]");
  const fields = new FormData(form.dataset.withForm ? document.getElementById(form.dataset.withForm) : form);
  if (form.dataset.withForm) for (const [name, value] of new FormData(form)) fields.set(name, value);
  button.disabled = true;
  place.setAttribute("aria-busy", "true");
  const problem = (text) => {
    const line = document.createElement("p");
    line.className = "fd-verdict fd-no";
    line.textContent = text;
    place.replaceChildren(line);
  };
  try {
    const answer = await fetch(form.getAttribute("action") || location.pathname, { method: "POST", body: fields });
    // Our own page, rendered and escaped by the server.
    if (answer.ok) place.innerHTML = await answer.text();
    else problem(answer.status === 403 ? "You may not do this, or you are signed out." : "That did not work. Try again.");
  } catch {
    problem("The server cannot be reached. Try again.");
  }
  place.removeAttribute("aria-busy");
  button.disabled = false;
});
