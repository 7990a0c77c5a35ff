// Keeps the person's page itself, so that it opens with no line. Nothing about a person is kept here: what is asked of
// the server goes to the server, and what waits to be sent lies in the page's own outbox.

const SHELL = "fenceline-shell-1";
const FIRST = ["/me", "/static/css/base.css", "/static/css/me.css", "/static/me/app.js", "/static/icons/icon.svg", "/static/lib/theme.js"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FIRST)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname !== "/me" && !pathname.startsWith("/static/")) return;
  event.respondWith(fresh(request));
});

/** The newest there is: from the server, else as it was kept. */
async function fresh(request) {
  const cache = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
