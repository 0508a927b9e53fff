// The page as a whole: what is asked when, and what is said when nobody answers.

import { TokenWanted, hasToken, useToken } from "./api.js";
import { configuration } from "./configuration.js";
import { find } from "./dom.js";
import { factors } from "./factors.js";
import { lockouts, watch as watchLockouts } from "./lockouts.js";
import { overview, pill } from "./overview.js";
import { traffic } from "./plots.js";
import { denials, logins, watch as watchRecent } from "./recent.js";
import { watch as watchRoutes } from "./routes.js";
import { watch as watchRules } from "./rules.js";

/** How often the page asks, in milliseconds. */
const EVERY = 2000;

/** What a section needs, and every how many rounds; only those in sight are asked for. */
const sections = {
  rules: { read: watchRules(() => now("rules")), rounds: 3 },
  denials: { read: denials, rounds: 2 },
  logins: { read: () => Promise.all([logins(), lockouts(), factors()]), rounds: 2 },
  configuration: { read: configuration, rounds: 5 },
  routes: { read: watchRoutes(() => now("routes")), rounds: 10 },
};
watchRecent(() => now("denials"));
watchLockouts(() => now("logins"), askForToken);

const seen = new Set();
let round = 0;
let timer = 0;
let running = false;
let lastSuccess = null;

async function tick() {
  if (document.hidden || running || find("token").open) return;
  running = true;
  try {
    await overview();
    await traffic();
    const due = [...seen].filter((name) => sections[name] && (sections[name].fresh || round % sections[name].rounds === 0));
    for (const name of due) {
      sections[name].fresh = false;
      await sections[name].read();
    }
    round += 1;
    lastSuccess = Date.now();
    find("banner").hidden = true;
  } catch (error) {
    failed(error);
  } finally {
    running = false;
  }
}

function failed(error) {
  if (error instanceof TokenWanted) {
    askForToken(error);
    return;
  }
  pill("not reached", "bad");
  const since = lastSuccess === null ? "" : ` What is shown is of ${new Date(lastSuccess).toLocaleTimeString()}.`;
  const why = error instanceof TypeError || error.name === "TimeoutError" ? "The gateway cannot be reached." : error.message;
  const text = `${why}${since} The page keeps trying.`;
  const banner = find("banner");
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = false;
}

/** Asks for one section at once, without waiting for its turn. */
function now(name) {
  sections[name].fresh = true;
  sections[name].read().then(() => (sections[name].fresh = false), failed);
}

function askForToken(error) {
  pill("token needed", "warn");
  find("show-token").hidden = false;
  if (hasToken()) find("token-wrong").textContent = error.message;
  useToken("");
  if (!find("token").open) find("token").showModal();
}

find("show-token").addEventListener("click", () => find("token").showModal());
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(find("token-input").value.trim());
  find("token-input").value = "";
  find("token-wrong").textContent = "";
  find("show-token").hidden = true;
  find("token").close();
  tick();
});

/** The section that the reader has asked for: what fills above it must not push it away, until the reader scrolls. */
let aim = location.hash.slice(1);

function land() {
  const target = aim && find(aim);
  if (target) target.scrollIntoView({ behavior: "instant", block: "start" });
}

function aimAt(id) {
  aim = id;
  mark(id);
  if (sections[id]) now(id);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link && find(link.hash.slice(1))?.matches("section")) aimAt(link.hash.slice(1));
});
for (const moves of ["wheel", "touchmove", "keydown", "pointerdown"]) {
  addEventListener(moves, (event) => {
    if (!event.target.closest?.("header")) aim = "";
  }, { passive: true });
}
const growing = new ResizeObserver(land);

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
/** Says in the tabs where the reader is, and shows that tab where they do not fit. */
function mark(id) {
  for (const [name, link] of links) {
    if (name !== id) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "true");
      const tabs = link.parentElement;
      tabs.scrollTo({ left: link.offsetLeft - (tabs.clientWidth - link.offsetWidth) / 2 });
    }
  }
}

const watching = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) seen.delete(target.id);
    else {
      seen.add(target.id);
      if (sections[target.id]) sections[target.id].fresh = true;
    }
  }
  tick();
}, { rootMargin: "-100px 0px 0px 0px" });

/** What crosses a line in the upper part of the window is where the reader is. */
const reading = new IntersectionObserver((entries) => {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) if (!aim) mark(target.id);
}, { rootMargin: "-30% 0px -69% 0px" });

for (const section of document.querySelectorAll("main > section")) {
  watching.observe(section);
  reading.observe(section);
  growing.observe(section);
}

function start() {
  clearInterval(timer);
  if (document.hidden) return;
  timer = setInterval(tick, EVERY);
  tick();
}

document.addEventListener("visibilitychange", start);
start();
