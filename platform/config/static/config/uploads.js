// Uploads files one by one with their progress, then follows each document until it is ready or has failed.
document.addEventListener("DOMContentLoaded", () => {
  const EVERY_MS = 1500;
  const following = new Map();
  let timer = 0;

  async function look(url) {
    timer = 0;
    const query = [...following.keys()].slice(0, 100).map((id) => `id=${encodeURIComponent(id)}`).join("&");
    try {
      const answer = await fetch(`${url}?${query}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      for (const document of (await answer.json()).documents) {
        following.get(document.id)?.(document);
        if (document.status === "ready" || document.status === "failed") following.delete(document.id);
      }
    } catch {
      // Away for a moment: ask again.
    }
    if (following.size) timer = setTimeout(look, EVERY_MS, url);
  }

  function follow(url, id, show) {
    following.set(id, show);
    if (!timer) timer = setTimeout(look, EVERY_MS / 3, url);
  }

  // Rows of the list, and the state on a document's page.
  for (const region of document.querySelectorAll("[data-poll]")) {
    for (const state of region.querySelectorAll("[data-document]")) {
      follow(region.dataset.poll, state.dataset.document, (told) => {
        if (told.status === "ready" || told.status === "failed") {
          const tag = document.createElement("span");
          tag.className = `fd-tag ${told.status === "ready" ? "fd-good" : "fd-bad"}`;
          tag.textContent = told.words;
          tag.title = told.problem;
          state.replaceChildren(tag);
        } else {
          state.querySelector("progress").value = told.percent;
          state.querySelector("span").textContent = told.words;
        }
      });
    }
  }

  for (const form of document.querySelectorAll("[data-upload]")) {
    const input = form.querySelector("input[type=file]");
    // unfold writes a file's name into a text field beside its input, which this form does not have.
    input.hasChangeListener = true;
    const drop = form.querySelector(".fd-drop");
    const list = form.querySelector(".fd-uploads");
    const largest = Number(form.dataset.largestMb) * 1024 * 1024;
    const waiting = [];
    let isBusy = false;

    function row(name) {
      const item = document.createElement("li");
      const title = document.createElement("span");
      title.className = "fd-upload-name";
      title.textContent = name;
      const bar = document.createElement("progress");
      bar.className = "fd-progress";
      bar.max = 100;
      bar.value = 0;
      bar.setAttribute("aria-label", name);
      const words = document.createElement("span");
      words.className = "fd-upload-words";
      words.textContent = "waiting";
      item.append(title, bar, words);
      list.append(item);
      return { item, title, bar, words };
    }

    function finish(shown, text, tone) {
      shown.bar.remove();
      shown.words.textContent = text;
      shown.words.classList.add(tone);
    }

    function told(shown, document_) {
      const link = document.createElement("a");
      link.className = "fd-link";
      link.href = document_.url;
      link.textContent = document_.title;
      shown.title.replaceChildren(link);
      if (document_.status === "ready") finish(shown, "ready", "fd-good");
      else if (document_.status === "failed") finish(shown, document_.problem || "failed", "fd-bad");
      else {
        shown.bar.value = document_.percent;
        shown.words.textContent = document_.percent ? `${document_.words}, ${document_.percent} %` : document_.words;
      }
    }

    function next() {
      const job = waiting.shift();
      isBusy = Boolean(job);
      if (!job) return;
      const { file, shown } = job;
      const fields = new FormData(form);
      fields.delete("file");
      fields.append("file", file, file.name);
      const request = new XMLHttpRequest();
      request.open("POST", location.pathname);
      request.upload.onprogress = ({ loaded, total }) => {
        const percent = Math.round((loaded / total) * 100);
        shown.bar.value = percent;
        shown.words.textContent = `uploading, ${percent} %`;
      };
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* Not ours: said below. */ }
        if (request.status === 201) {
          shown.bar.value = 0;
          told(shown, answer);
          if (answer.status !== "ready" && answer.status !== "failed") {
            follow(form.dataset.progressUrl, answer.id, (document_) => told(shown, document_));
          }
        } else finish(shown, answer.problem || answer.detail || "That did not work.", "fd-bad");
        next();
      };
      request.onerror = () => { finish(shown, "The server cannot be reached.", "fd-bad"); next(); };
      request.send(fields);
    }

    function take(files) {
      for (const file of files) {
        const shown = row(file.name);
        if (file.size > largest) finish(shown, `Larger than ${form.dataset.largestMb} MB.`, "fd-bad");
        else waiting.push({ file, shown });
      }
      if (!isBusy) next();
    }

    input.addEventListener("change", () => { take(input.files); input.value = ""; });
    for (const name of ["dragover", "dragenter"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("fd-over"); });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("fd-over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
    form.addEventListener("submit", (event) => event.preventDefault());
  }
});
