// Small things that Gradio leaves out: focus, references to passages, the download, and what to say when sending fails.
// It writes text only as text, and talks to nobody.
"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const box = () => find("#askdmt-box textarea");
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const open = new Set(); // ids of the passages that the visitor has opened
  const voted = new Set(); // ids of the replies that the visitor has said of whether they helped

  const focusBox = () => box()?.focus({ preventScroll: true });

  const show = (element) =>
    element?.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });

  function openPassage(id) {
    const passage = document.getElementById(id);
    if (!passage) return;
    open.add(id);
    passage.open = true;
    passage.querySelector("summary").focus({ preventScroll: true });
    passage.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  }

  function download() {
    const turns = find("#askdmt-conversation .turns");
    if (!turns) return;
    const parts = [turns.dataset.title];
    for (const article of turns.querySelectorAll("article[data-text]")) {
      const speaker = article.matches(".question") ? turns.dataset.you : turns.dataset.assistant;
      parts.push(`${speaker}:\n${article.dataset.text}`);
    }
    const file = new Blob([parts.join("\n\n\n") + "\n"], { type: "text/plain;charset=utf-8" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${find("#askdmt-header header").dataset.title}.txt`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async function vote(button) {
    const { dataset } = button.closest(".vote");
    const body = JSON.stringify({ id: dataset.reply, helpful: button.dataset.helpful === "true" });
    const headers = { "content-type": "application/json" };
    const response = await fetch("api/feedback", { method: "POST", headers, body }).catch(() => null);
    if (!response?.ok) return; // it stays, and can be tried again
    voted.add(dataset.reply);
    thank();
    focusBox();
    find("#askdmt-status [role=status]").textContent = dataset.thanks;
  }

  function thank() {
    for (const element of document.querySelectorAll(".vote:has(button)")) {
      if (voted.has(element.dataset.reply)) element.replaceChildren(element.dataset.thanks);
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("a, button, summary");
    if (!target) return;
    if (target.matches(".cite")) {
      event.preventDefault();
      openPassage(target.hash.slice(1));
    } else if (target.matches(".skip")) {
      event.preventDefault();
      box()?.focus();
    } else if (target.matches(".to-help")) {
      event.preventDefault();
      show(find("#help"));
      find("#askdmt-lines a")?.focus({ preventScroll: true });
    } else if (target.matches("summary")) {
      const passage = target.parentElement;
      passage.open ? open.delete(passage.id) : open.add(passage.id); // it toggles after this
    } else if (target.matches(".vote button")) {
      vote(target);
    } else if (target.id === "askdmt-download") {
      download();
    } else if (target.matches("#askdmt-send, #askdmt-stop, #askdmt-clear, .example")) {
      requestAnimationFrame(focusBox);
    }
  });

  // When the network fails, Gradio waits, then loads the page anew, and what was typed is gone. Give it an answer that it
  // takes for an ordinary error, so that the text stays and can be sent again.
  const FAILURES = {
    "/queue/join": () =>
      new Response('{"detail": "-"}', { status: 503, headers: { "content-type": "application/json" } }),
    "/queue/data": () =>
      new Response(
        'data: {"msg": "unexpected_error", "message": "-", "success": false}\n\ndata: {"msg": "close_stream"}\n\n',
        { headers: { "content-type": "text/event-stream" } },
      ),
  };
  const send = window.fetch;
  window.fetch = async (...request) => {
    try {
      return await send(...request);
    } catch (error) {
      const address = String(request[0]?.url ?? request[0]);
      const failure = Object.keys(FAILURES).find((part) => address.includes(part));
      if (!failure) throw error;
      sayUnsent();
      return FAILURES[failure]();
    }
  };

  // What to do when a message was not sent or its answer was lost, in the page's language.
  function sayUnsent() {
    const line = find("#askdmt-status [role=status]");
    line.className = "status unsent";
    line.textContent = find("#askdmt-header header").dataset.unsent;
  }

  // Gradio's own notes of other errors are in English and would lie over the help lines: they stay hidden.
  function readNotes() {
    const note = find(".toast-body.error:not([data-told])");
    if (!note) return;
    note.dataset.told = "";
    sayUnsent();
  }

  // After each change: passages stay open, a new question comes into view, focus is never lost.
  let seen = "";
  let focused = null;
  document.addEventListener("focusin", (event) => (focused = event.target));

  function settle() {
    readNotes();
    for (const id of open) {
      const passage = document.getElementById(id);
      if (passage) passage.open = true;
    }
    thank();
    const articles = [...document.querySelectorAll("#askdmt-conversation article")];
    const now = articles.map((article) => article.className).join();
    if (now !== seen) show(articles.findLast((article) => article.matches(".question")));
    seen = now;
    const turns = find("#askdmt-conversation .turns");
    find("#askdmt-examples")?.setAttribute("lang", turns?.dataset.language ?? document.documentElement.lang);
    if (document.activeElement === document.body && focused && !focused.isConnected) focusBox();
  }

  let planned = 0;
  new MutationObserver(() => {
    cancelAnimationFrame(planned);
    planned = requestAnimationFrame(settle);
  }).observe(document, { childList: true, subtree: true });
})();
