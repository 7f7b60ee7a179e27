// The embed: sends a question to the server it came from, and shows what comes back. The conversation is in memory and
// nowhere else. Whatever a person or the server wrote goes in as text, never as markup.
"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const site = JSON.parse(find("#site").textContent);
  const SILENCE = 45_000; // milliseconds without a sign of life (the server gives one each 15 s) that mean it is lost

  const box = find("#box");
  const turns = find("#turns");
  const asked = []; // messages so far, as the server takes them
  let region = site.region;
  let asking = null; // the AbortController of the question that is being answered

  // Small tools

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const wordsOf = (language) => site.replies[language] ?? site.replies[document.documentElement.lang];
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const scrollTo = (element, block) => element.scrollIntoView({ block, behavior: calm() ? "auto" : "smooth" });
  const paragraphs = (text) => text.split("\n\n").filter((part) => part.trim());

  function say(text, language = document.documentElement.lang) {
    const status = find("#status");
    status.lang = language;
    status.textContent = text;
  }

  // Help lines

  function outside(address, label, words, kind) {
    const note = make("span", { class: "unseen" }, ` (${words.new_tab})`);
    return make("a", { class: kind, href: address, target: "_blank", rel: "noopener noreferrer" }, label, note);
  }

  function number(label, digits, scheme) {
    if (!/^\+?[\d ()-]{2,}$/.test(digits)) return make("span", { class: "way" }, label);
    return make("a", { class: "way", href: `${scheme}:${digits.replace(/[^\d+]/g, "")}` }, label);
  }

  function chat(address, words) {
    const label = fill(words.chat, { address });
    const found = /^(?:https?:\/\/)?([\w-]+(?:\.[\w-]+)+(?:\/[\w./-]*)?)$/.exec(address);
    return found ? outside(`https://${found[1]}`, label, words, "way") : make("span", { class: "way" }, label);
  }

  function supportLine(line, words, here) {
    const ways = make("span", { class: "ways" });
    for (const digits of line.call?.split(words.alternative) ?? []) {
      ways.append(number(fill(words.call, { number: digits }), digits, "tel"));
    }
    if (line.text) ways.append(number(fill(words.text, { number: line.text }), line.text, "sms"));
    if (line.chat) ways.append(chat(line.chat, words));
    const item = make("li", {}, make("span", { class: "line-name" }, line.name), ways);
    const about = [line.region === here ? "" : line.region, line.hours && fill(words.hours, line)].filter(Boolean);
    if (about.length) item.append(make("span", { class: "hours" }, about.join("; ")));
    return item;
  }

  function supportList(lines, words) {
    const items = lines.map((line) => supportLine(line, words, lines[0].region));
    return make("ul", { class: "support", role: "list" }, ...items);
  }

  function spokenLine(line, words) {
    const ways = [
      line.call && fill(words.call, { number: line.call }),
      line.text && fill(words.text, { number: line.text }),
      line.chat && fill(words.chat, { address: line.chat }),
    ];
    return `${line.name}: ${ways.filter(Boolean).join("; ")}.`;
  }

  async function chooseRegion(chosen) {
    region = chosen;
    const query = new URLSearchParams({ region, language: document.documentElement.lang });
    try {
      const response = await fetch(`embed/lines?${query}`, { credentials: "omit" });
      const { lines } = await response.json();
      find("#lines").replaceChildren(supportList(lines, wordsOf()));
    } catch {
      // the lines in view stay: they work without us
    }
  }

  // Turns

  const speaker = (name) => make("h3", {}, name);

  function showQuestion(text) {
    const article = make("article", { class: "question" }, speaker(site.page.you), make("p", { dir: "auto" }, text));
    return make("li", {}, article);
  }

  function showWorking() {
    const text = make("p", { class: "dots" }, site.page.working);
    const body = make("div", { class: "body" }, text);
    const article = make("article", { class: "answer working", "aria-busy": "true" });
    article.append(speaker(site.page.assistant), body);
    return make("li", {}, article);
  }

  function body(reply) {
    const whole = make("div", { class: "body" });
    const numbers = new Set(reply.citations.map((citation) => citation.n));
    for (const text of paragraphs(reply.body)) {
      const paragraph = make("p", {});
      for (const part of text.split(/(\s?\[\d+\])/)) {
        const n = Number(/^\s?\[(\d+)\]$/.exec(part)?.[1]);
        if (!numbers.has(n)) paragraph.append(part);
        else paragraph.append("\u00a0", make("a", { class: "cite", href: `#${passageId(reply, n)}` }, `[${n}]`));
      }
      whole.append(paragraph);
    }
    return whole;
  }

  const passageId = (reply, n) => `passage-${reply.id}-${n}`;

  function source(reply, citation, words) {
    const dated = citation.reviewed && fill(words.reviewed, { date: citation.reviewed });
    const review = [dated, citation.signed ? "" : words.draft].filter(Boolean).join("; ");
    const name = make("span", { class: "name" }, citation.title, make("span", { class: "review" }, review));
    name.append(make("span", { class: "show" }, words.show));
    const from = make("p", { class: "source" }, `${words.source}: `);
    if (/^https?:\/\//.test(citation.url)) {
      const [first, ...others] = citation.source.split("; "); // the address is that of the first source named
      from.append(outside(citation.url, first, words, "outside"), others.map((other) => `; ${other}`).join(""));
    } else {
      from.append(citation.source);
    }
    const summary = make("summary", {}, make("span", { class: "n" }, citation.n), name);
    const passage = make("blockquote", {}, make("p", {}, citation.passage));
    return make("li", {}, make("details", { id: passageId(reply, citation.n) }, summary, passage, from));
  }

  function showReply(reply) {
    const words = wordsOf(reply.language);
    const danger = ["crisis", "emergency"].includes(reply.decision);
    const article = make("article", { lang: reply.language, dir: words.direction, "data-decision": reply.decision });
    article.className = danger ? "answer danger" : "answer";
    article.append(speaker(site.page.assistant), body(reply));
    if (reply.citations.length) {
      const list = make("ul", { role: "list" }, ...reply.citations.map((citation) => source(reply, citation, words)));
      article.append(make("section", { class: "sources" }, make("h4", {}, words.sources), list));
    }
    if (reply.support.length) article.append(help(reply.support, words));
    article.append(make("p", { class: "disclaimer" }, reply.disclaimer));
    if (site.feedback && !danger) article.append(vote(reply, words));
    return article;
  }

  function vote(reply, words) {
    const name = `vote-${reply.id}`;
    const element = make("div", { class: "vote" }, make("p", { id: name }, words.question));
    for (const [helpful, label] of [[true, words.helpful], [false, words.unhelpful]]) {
      const button = make("button", { type: "button", "aria-describedby": name }, label);
      button.addEventListener("click", async () => {
        const body = JSON.stringify({ id: reply.id, helpful });
        const headers = { "content-type": "application/json" };
        const request = { method: "POST", headers, body, credentials: "omit", referrerPolicy: "no-referrer" };
        const response = await fetch("api/feedback", request).catch(() => null);
        if (!response?.ok) return; // it stays, and can be tried again
        element.replaceChildren(words.thanks);
        box.focus({ preventScroll: true });
        say(words.thanks, reply.language);
      });
      element.append(button);
    }
    return element;
  }

  function help(lines, words, heading = "h4") {
    return make("section", { class: "lines" }, make(heading, {}, words.heading), supportList(lines, words));
  }

  function spoken({ body, support, disclaimer, language }) {
    return [body, ...support.map((line) => spokenLine(line, wordsOf(language))), disclaimer].join(" ");
  }

  function offer(questions, language) {
    const button = (question) => make("button", { type: "button", class: "example" }, question);
    const list = find("#examples ul");
    list.lang = language;
    list.replaceChildren(...questions.map((question) => make("li", {}, button(question))));
  }

  // What went wrong: a text in the page's own words, for which no server is needed

  const KINDS = { 408: "timeout", 413: "too_long", 429: "rate_limited", 504: "timeout" };

  function problem(status, data, seconds) {
    const named = data?.type?.split(":").pop().replaceAll("-", "_");
    const kind = named in site.problems ? named : (KINDS[status] ?? "error");
    const wait = /\{seconds\}/.test(site.problems[kind]) ? Number(seconds) || 30 : 0;
    return { text: fill(site.problems[kind], { seconds: wait }), wait, support: data?.support ?? [] };
  }

  const lost = () => ({ text: site.problems.lost, wait: 0, support: [] });

  function showProblem({ text, wait, support }, question) {
    const retry = make("button", { type: "button", class: "main", id: "retry" }, site.page.retry);
    const told = make("section", { id: "problem" }, ...paragraphs(text).map((part) => make("p", {}, part)), retry);
    told.append(make("p", { class: "disclaimer" }, site.page.disclaimer));
    if (support.length) told.append(help(support, wordsOf(), "h2"));
    retry.hidden = wait > 0;
    if (wait > 0) setTimeout(() => (retry.hidden = false), wait * 1000);
    retry.addEventListener("click", () => {
      box.value = box.value.trim() ? box.value : question;
      submit();
      box.focus();
    });
    find("#problem").replaceWith(told);
    scrollTo(told, "start");
    say(`${text} ${site.page.disclaimer}`);
  }

  const hideProblem = () => find("#problem").replaceWith(make("section", { id: "problem", hidden: "" }));

  // Asking

  function request(question) {
    const messages = [...asked, { role: "user", content: question }].slice(-site.messages);
    const body = () => JSON.stringify({ messages, region });
    while (messages.length > 1 && new Blob([body()]).size > site.bytes) messages.shift();
    return body();
  }

  /** Return the Reply; throws what `problem` returns. */
  async function send(question, sentence) {
    let watch;
    const control = asking;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => control.abort(), SILENCE);
    };
    alive();
    try {
      const response = await fetch("api/reply", {
        method: "POST",
        headers: { "content-type": "application/json", accept: "text/event-stream, application/json" },
        body: request(question),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
        signal: control.signal,
      });
      if (response.ok && response.headers.get("content-type")?.startsWith("text/event-stream")) {
        return await read(response.body, sentence, alive);
      }
      const data = await response.json().catch(() => null);
      if (response.ok && data?.body && data.disclaimer) return data;
      throw problem(response.status, data, response.headers.get("retry-after"));
    } catch (error) {
      throw error.text ? error : lost();
    } finally {
      clearTimeout(watch);
    }
  }

  /** Return a field of a server-sent event. Lines end at "\n" only: a text may hold other ends of lines. */
  function field(event, name) {
    const lines = event.split("\n").filter((line) => line.startsWith(`${name}:`));
    return lines.map((line) => line.slice(name.length + 1).trimStart()).join("\n");
  }

  /** Read server-sent events until one is the reply. */
  async function read(stream, sentence, alive) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) throw lost();
      alive();
      const events = (text + value).replace(/\r\n/g, "\n").split("\n\n");
      text = events.pop();
      for (const event of events) {
        const [kind, data] = [field(event, "event"), field(event, "data")];
        if (!kind || !data) continue;
        if (kind === "sentence") sentence(JSON.parse(data).text);
        if (kind === "reply") return JSON.parse(data);
        if (kind === "problem") throw problem(0, JSON.parse(data));
      }
    }
  }

  async function ask(question) {
    if (asking) return;
    if (!question.trim()) {
      say(box.placeholder);
      return;
    }
    asking = new AbortController();
    const mine = asking;
    const said = showQuestion(question);
    const working = showWorking();
    begin(said, working);
    try {
      let text = "";
      const reply = await send(question, (sentence) => {
        text += sentence;
        working.querySelector(".body").replaceChildren(...paragraphs(text).map((part) => make("p", {}, part)));
      });
      if (mine !== asking) return;
      asked.push({ role: "user", content: question }, { role: "assistant", content: reply.text });
      working.replaceChildren(showReply(reply));
      offer(reply.suggestions, reply.language);
      finish();
      say(spoken(reply), reply.language);
      scrollTo(said, "start");
      if (question.length > site.characters && !working.querySelector(".danger")) giveBack(question);
    } catch (trouble) {
      if (mine !== asking) return; // stopped or cleared meanwhile
      said.remove();
      working.remove();
      giveBack(question);
      finish();
      showProblem(trouble.text ? trouble : problem(0), question);
    }
  }

  function begin(said, working) {
    hideProblem();
    find("#notice").open = false;
    find("#help").open = false;
    find("#examples").hidden = true;
    find("#conversation").hidden = false;
    find("#clear").hidden = true;
    turns.append(said, working);
    find("#send").hidden = true;
    find("#stop").hidden = false;
    box.focus();
    say(site.page.working);
    scrollTo(said, "start");
  }

  function finish() {
    asking = null;
    find("#send").hidden = false;
    find("#stop").hidden = true;
    find("#clear").hidden = !turns.children.length;
    find("#conversation").hidden = !turns.children.length;
    find("#examples").hidden = !find(".example");
  }

  function giveBack(question) {
    box.value = [question, box.value].filter(Boolean).join("\n");
    measure();
  }

  function stop() {
    const control = asking;
    const [said, working] = [...turns.children].slice(-2);
    const question = said.querySelector("p").textContent;
    asking = null;
    control.abort();
    said.remove();
    working.remove();
    giveBack(question);
    finish();
    say(site.page.stopped);
    box.focus();
  }

  function clear() {
    asked.length = 0;
    turns.replaceChildren();
    hideProblem();
    offer(site.examples, document.documentElement.lang);
    finish();
    say(site.page.cleared);
    box.focus();
  }

  function measure() {
    find("#length").textContent = box.value.length > site.characters ? site.problems.too_long : "";
  }

  function submit() {
    if (asking) return;
    const question = box.value;
    if (question.trim()) box.value = "";
    measure();
    ask(question);
  }

  // Theme: only the page around this one may choose it, and only pages on the server's list may show this one.

  const style = document.documentElement.style;
  const shades = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  const luminance = (colour) =>
    shades(colour)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const mix = (colour, other, share) => {
    const parts = shades(other).map((part, place) => Math.round(part * share + shades(colour)[place] * (1 - share)));
    return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  };
  function contrast(colour, other) {
    const [dark, light] = [luminance(colour), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }

  /** Move a colour towards another until letters in it can be read on all grounds. */
  function letters(colour, grounds, towards) {
    let fit = colour;
    while (grounds.some((ground) => contrast(fit, ground) < 4.6)) fit = mix(fit, towards, 0.06);
    return fit;
  }

  function paint(colour) {
    if (!/^#[\da-f]{6}$/i.test(colour) || contrast(colour, "#ffffff") < 4.5) {
      return refuse("colour", colour, "it must be #rrggbb, with a contrast to white of 4.5 or more");
    }
    const tint = mix(colour, "#ffffff", 0.91);
    const dim = mix(colour, "#182325", 0.8);
    const deep = letters(colour, [tint, "#f5f7f6", "#fdf4e5"], "#000000");
    const pale = letters(colour, [dim, "#182325", "#2a2317"], "#ffffff");
    const looks = {
      accent: [deep, pale],
      button: [colour, pale],
      "accent-strong": [mix(deep, "#000000", 0.25), mix(pale, "#ffffff", 0.4)],
      "on-accent": ["#ffffff", "#0b1416"],
      tint: [tint, dim],
    };
    for (const [name, pair] of Object.entries(looks)) style.setProperty(`--${name}`, `light-dark(${pair})`);
  }

  function refuse(name, value, why) {
    console.warn(`AskDMT: the ${name} "${value}" is not used: ${why}.`);
  }

  function dress(wishes) {
    const wish = (name, fits, why, use) => {
      const value = wishes.get(name);
      if (value) fits.test(value) ? use(value) : refuse(name, value, why);
    };
    const colour = wishes.get("colour") || site.colour;
    if (colour) paint(colour);
    wish("radius", /^(\d|1\d|2[0-4])(px)?$/, "it must be 0 to 24 pixels", (value) => {
      style.setProperty("--radius", `${parseInt(value)}px`);
    });
    wish("font", /^[\w\s,"'-]{1,200}$/, "it must be a list of font names", (value) => {
      style.setProperty("--text", value);
    });
    wish("scheme", /^(light|dark)$/, "it must be light or dark", (value) => {
      style.setProperty("color-scheme", value);
    });
    wish("title", /^.{1,60}$/, "it is longer than 60 characters", (value) => {
      document.title = find("h1").textContent = value;
    });
    wish("greeting", /^.{1,300}$/, "it is longer than 300 characters", (value) => {
      find("#greeting").textContent = value;
    });
  }

  // The page around this one: three messages, to and from that one origin

  function introduce(host) {
    if (host === location.origin) {
      console.warn("AskDMT: served from this page's own origin, it hides nothing from the page's scripts.");
    }
    const tell = (kind, more) => parent.postMessage({ askdmt: kind, ...more }, host);
    const close = () => tell("close");
    find("#close").hidden = false;
    find("#close").addEventListener("click", close);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) close();
    });
    addEventListener("message", ({ origin, source, data }) => {
      if (origin !== host || source !== parent || data?.askdmt !== "ready") return;
      box.focus();
      // How tall the first view is. Never after a question: the height of an answer is nobody's business.
      if (turns.children.length) return;
      tell("resize", { height: find("header").offsetHeight + find("main").scrollHeight + find("footer").offsetHeight });
    });
    tell("ready");
  }

  // Start

  find("#no-script").remove();
  for (const name of ["#composer", "#examples", "#choice"]) find(name).hidden = false;
  find("#region").addEventListener("change", (event) => chooseRegion(event.target.value));
  find("#composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  box.addEventListener("input", measure);
  find("#stop").addEventListener("click", stop);
  find("#clear").addEventListener("click", clear);
  find("#examples").addEventListener("click", (event) => {
    if (event.target.matches(".example")) ask(event.target.textContent);
  });
  turns.addEventListener("click", (event) => {
    if (!event.target.matches(".cite")) return;
    event.preventDefault();
    const passage = document.getElementById(event.target.hash.slice(1));
    passage.open = true;
    passage.querySelector("summary").focus({ preventScroll: true });
    scrollTo(passage, "nearest");
  });

  const wishes = new URLSearchParams(parent === window ? "" : location.hash.slice(1));
  dress(wishes);
  const host = wishes.get("host");
  if (host === location.origin || site.origins.includes(host)) introduce(host);
})();
