// Puts a button on the page it is on; the button opens AskDMT in an iframe from another origin, which this page and its
// scripts cannot look into. The iframe is made when somebody first asks for it. docs/embedding.md lists the attributes.
"use strict";
(() => {
  const SITE = {}; // filled in by the server: title, language, colour, and words by language
  const PATIENCE = 10000; // milliseconds until the page says that the iframe does not come up
  const STYLE = `
    :host { all: initial; display: block; height: 84px; font: 600 16px/1.4 var(--font) }
    button, div { position: fixed; z-index: 2147483000; right: 16px; bottom: 16px; max-width: calc(100% - 32px);
      border: 1px solid #6c7d81; border-radius: var(--radius); background: #f5f7f6; box-shadow: 0 4px 20px #0b1a1c50 }
    .left > * { right: auto; left: 16px }
    button { display: flex; gap: 10px; align-items: center; padding: 14px 20px;
      border-color: transparent; background: var(--colour); color: #fff; font: inherit; cursor: pointer }
    button::before { flex: none; width: 18px; height: 13px; border: 2px solid; border-radius: 6px 6px 6px 0; content: "" }
    button:focus-visible { outline: 3px solid #fff; box-shadow: 0 0 0 6px #0b57a4 }
    div { bottom: 84px; overflow: hidden; width: 420px }
    .ready { height: min(var(--height, 680px), 100% - 100px) }
    [hidden] { display: none }
    iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0 }
    p { padding: 12px 24px; color: #1b2a2e }
    @media (max-width: 480px), (max-height: 560px) {
      .ready { inset: 0; min-width: 100%; height: 100%; border: 0; border-radius: 0 }
    }
    @media print { * { display: none } }`;

  const page = document;
  const html = page.documentElement;
  const { src, dataset: given } = page.currentScript;
  const base = new URL(".", src);

  // Contrast to white as WCAG 2 defines it; 0 for what is no colour.
  function contrast(colour) {
    let light = 0.05;
    [0.2126, 0.7152, 0.0722].forEach((weight, place) => {
      const part = parseInt(colour.substr(1 + 2 * place, 2), 16) / 255;
      light += weight * (part > 0.04045 ? ((part + 0.055) / 1.055) ** 2.4 : part / 12.92);
    });
    return /^#[\da-f]{6}$/i.test(colour) && 1.05 / light;
  }

  function make(tag, attributes, ...children) {
    const element = page.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  }

  function mount() {
    if (page.querySelector("askdmt-embed")) return;
    const asked = (given.language || html.lang).slice(0, 2).toLowerCase();
    const language = SITE.words[asked] ? asked : SITE.language;
    const [label, loading, unavailable] = SITE.words[language];
    const title = given.title || SITE.title;
    const launcher = make("button", { "aria-expanded": false }, given.label || label);
    const said = make("p", { role: "status" });
    const panel = make("div", { hidden: "" }, said);
    const root = make("askdmt-embed");
    const shadow = root.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(make("span", { lang: language, class: given.position || "" }, launcher, panel));

    // An attribute wins over a CSS variable of the page, and that over what the server is set to.
    const looks = new URLSearchParams({ host: location.origin });
    for (const name of ["colour", "radius", "font", "scheme", "title", "greeting"]) {
      const variable = getComputedStyle(html).getPropertyValue("--askdmt-" + name).trim();
      const value = given[name] || variable || SITE[name];
      if (!value) continue;
      if (name !== "colour" || contrast(value) >= 4.5) looks.set(name, value);
      else console.warn(`AskDMT: ${value} is not used: no #rrggbb with 4.5:1 to white.`);
    }
    const style = (name, value) => root.style.setProperty("--" + name, value);
    style("colour", looks.get("colour") || "#12616a");
    style("radius", (parseInt(looks.get("radius")) || 14) + "px");
    style("font", looks.get("font") || "system-ui, sans-serif");
    page.body.append(root);

    // The button must not cover what the keyboard has reached.
    page.addEventListener("focusin", ({ target }) => {
      const { bottom, height } = target.getBoundingClientRect();
      if (target !== root && height < 99 && bottom > innerHeight - 84) target.scrollIntoView({ block: "center" });
    });

    let frame, late;

    function show(visible) {
      panel.hidden = !visible;
      launcher.setAttribute("aria-expanded", visible);
      if (!visible) launcher.focus();
      else if (panel.className) enter();
      else load();
    }

    function load() {
      frame?.remove();
      frame = make("iframe", {
        title,
        src: `${base}embed?language=${language}&region=${given.region || ""}#${looks}`,
        referrerpolicy: "no-referrer",
        sandbox: "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox",
        hidden: "",
      });
      said.textContent = loading;
      panel.append(frame);
      clearTimeout(late);
      late = setTimeout(() => {
        said.textContent = unavailable;
        console.warn(`AskDMT: is ${location.origin} in the allowed_origins of ${base}?`);
      }, PATIENCE);
    }

    function enter() {
      if (panel.hidden) return;
      frame.focus();
      frame.contentWindow.postMessage({ askdmt: "ready" }, base.origin);
    }

    // Three messages, and none carries a visitor's words.
    addEventListener("message", ({ origin, source, data }) => {
      if (origin !== base.origin || source !== frame?.contentWindow) return;
      if (data.askdmt === "ready") {
        clearTimeout(late);
        said.textContent = "";
        frame.hidden = false;
        panel.className = "ready";
        enter();
      }
      if (data.askdmt === "resize") style("height", Math.min(data.height, 760) + "px");
      if (data.askdmt === "close") show(false);
    });
    launcher.onclick = () => show(panel.hidden);
    root.onkeydown = (event) => {
      if (event.key === "Escape" && !panel.hidden) show(false);
    };
  }

  if (page.body) mount();
  else addEventListener("DOMContentLoaded", mount);
})();
