// Flyball's only script. Every page works without it: it adds copying, keys, filtering as you type,
// the theme switch and live updates over one event stream (body data-stream). It holds no rule.
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const root = document.documentElement;
  const theme = localStorage.getItem("theme");
  if (theme) root.dataset.theme = theme;

  const say = (text) => {
    let box = $(".toasts:not(.still)");
    if (!box) { box = document.createElement("div"); box.className = "toasts"; box.setAttribute("role", "status"); document.body.append(box); }
    const t = document.createElement("div"); t.className = "toast"; t.textContent = text;
    box.replaceChildren(t); setTimeout(() => t.remove(), 4000);
  };
  const copy = async (sel) => {
    const text = $(sel).textContent.trim();
    try { await navigator.clipboard.writeText(text); say("Copied: " + text); } catch { getSelection().selectAllChildren($(sel)); say("Selected; copy it with your keys."); }
  };
  document.addEventListener("click", (e) => {
    const c = e.target.closest("[data-copy]");
    if (c) copy(c.dataset.copy);
    if (e.target.id === "new") flush(true);
    if (e.target.closest("[data-theme-toggle]")) {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      localStorage.setItem("theme", root.dataset.theme = dark ? "light" : "dark");
    }
    for (const m of $$("details.menu[open]")) if (!m.contains(e.target)) m.open = false;
  });

  // Filter: the server does it properly on Enter; while typing, rows without the words are hidden.
  for (const box of $$("[data-filter]")) box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter((w) => w && !/[<>=]|^(and|or|\d)/.test(w));
    for (const tr of $$("tbody tr", $(box.dataset.filter))) tr.hidden = !words.every((w) => tr.textContent.toLowerCase().includes(w));
  });

  // Live: one stream; the browser resumes it with Last-Event-ID. "swap" carries finished HTML of elements with ids.
  // Nothing is replaced under the pointer, the focus or a mark: it waits until they leave. Tables never jump: what
  // has new lines is counted, and waits until n.
  const waiting = new Map(), fresh = new Map();
  let moved = false;
  const lines = (el) => $$("tbody tr, .log li:not(.day)", el).map((r) => ($("th", r) || r).textContent);
  const held = (el) => el.matches(":hover, :focus-within") || $("input:checked, details.confirm[open], tr[hidden]" + (moved ? ", tr.cur" : ""), el) || $$("input", el).some((i) => i.value !== i.defaultValue);
  const put = (el, now) => {
    const old = document.getElementById(el.id), had = old && new Set(lines(old));
    const n = had && !now ? lines(el).filter((l) => !had.has(l)).length : 0;
    waiting.delete(el.id); fresh.delete(el.id);
    if (n) fresh.set(el.id, n);
    if (n || (old && !now && held(old))) waiting.set(el.id, el);
    else if (old && old.outerHTML !== el.outerHTML) {
      $$("details", old).forEach((d, i) => { const e = $$("details", el)[i]; if (e) e.open = d.open; });
      old.replaceWith(el);
    }
    const all = [...fresh.values()].reduce((a, b) => a + b, 0), b = $("#new");
    if (b) { b.hidden = !all; if (all) b.textContent = `${all} new, press n`; }
  };
  const flush = (now) => { for (const el of [...waiting.values()]) put(el, now); };
  const url = document.body.dataset.stream;
  if (url) {
    let last = Date.now();
    const es = new EventSource(url + "?page=" + encodeURIComponent(location.pathname + location.search)), seen = () => { last = Date.now(); const s = $("#stale"); if (s) s.hidden = true; };
    es.addEventListener("beat", seen);
    es.addEventListener("swap", (e) => { seen(); const t = document.createElement("template"); t.innerHTML = e.data; [...t.content.children].forEach((el) => put(el)); });
    setInterval(() => { flush(); const s = $("#stale"), gap = Math.round((Date.now() - last) / 1000); if (s && gap >= 10) { s.hidden = false; $("b", s).textContent = `Not live for ${gap} s.`; } }, 1000);
  }

  // MLflow's clients print addresses of their own pages: they lead to ours.
  const lead = () => {
    const old = location.pathname === "/" && location.hash.match(/^#\/experiments\/(\d+)(?:\/runs\/([\w-]+))?/);
    if (old) location.replace(old[2] ? "/run?id=" + old[2] : "/runs?experiment=" + old[1]);
  };
  lead(); addEventListener("hashchange", lead);

  // Time runs to the right: a chart that does not fit starts at its end.
  for (const p of $$(".plot[data-end]")) p.scrollLeft = p.scrollWidth;

  // Keys. One letter acts; g and a letter goes. They can be switched off in Settings.
  const keysOff = () => localStorage.getItem("keys") === "off";
  const keysSaid = () => { const s = $("#keys"); if (s) s.textContent = keysOff() ? "Single keys are off in this browser." : "Single keys are on in this browser."; };
  $("[data-keys-toggle]")?.addEventListener("click", () => { localStorage.setItem("keys", keysOff() ? "on" : "off"); keysSaid(); });
  keysSaid();
  const go = (key) => $$(".rail > nav a").find((a) => $("kbd", a)?.textContent === "g " + key)?.click();
  let g = 0;
  const rows = () => $$(".sticky tbody tr:not(.grp,.opened)").filter((r) => !r.hidden);
  const move = (d) => {
    const rs = rows(); if (!rs.length) return;
    moved = true;
    let i = rs.findIndex((r) => r.classList.contains("cur"));
    rs[i]?.classList.remove("cur"); i = Math.max(0, Math.min(rs.length - 1, i + d));
    rs[i].classList.add("cur"); rs[i].scrollIntoView({ block: "nearest" });
  };
  const help = () => {
    let d = $("dialog.help");
    if (!d) {
      d = document.createElement("dialog"); d.className = "help"; d.setAttribute("aria-label", "Keys");
      const keys = $$(".rail > nav a").map((a) => [$("kbd", a)?.textContent, a.firstChild.textContent]).concat([["/", "filter"], ["j k", "move"], ["x", "mark"], ["o", "open"], ["c", "compare marked"], ["r", "roll back (asks)"], ["t", "data behind charts"], [".", "copy the command"], ["n", "show new lines"], ["Esc", "close"]]).filter(([k]) => k);
      d.innerHTML = "<h2>Keys</h2><ul class=keys>" + keys.map(([k, w]) => `<li>${w}<kbd>${k}</kbd></li>`).join("") + "</ul><form method=dialog class='btns gapt'><button class=btn>Close</button></form>";
      document.body.append(d);
    }
    d.showModal();
  };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") { for (const m of $$("details.menu[open]")) { m.open = false; $("summary", m).focus(); } return; }
    if ((e.metaKey || e.ctrlKey) && e.key === "k") { e.preventDefault(); location.href = "/find"; return; }
    if (keysOff() || e.target.closest("input:not([type=checkbox]), textarea, select, dialog") || e.metaKey || e.ctrlKey || e.altKey) return;
    if (g) { g = 0; go(e.key); return; }
    const cur = $(".sticky tr.cur");
    const act = {
      g: () => { g = 1; setTimeout(() => (g = 0), 1200); }, "/": () => $("[data-filter]")?.focus(), "?": help, ".": () => copy("#cmd"), j: () => move(1), k: () => move(-1),
      x: () => { const c = cur && $("input[type=checkbox]", cur); if (c) { c.click(); cur.setAttribute("aria-selected", c.checked); } },
      o: () => cur && $("a", cur)?.click(), c: () => $("#marked")?.requestSubmit(),
      r: () => { const d = $("details.confirm"); if (d) { d.open = true; $("input", d).focus(); } },
      n: () => flush(true),
      t: () => { const ds = $$("details.data"), open = ds.some((d) => !d.open); for (const d of ds) d.open = open; },
    }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
})();
