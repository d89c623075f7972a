// The whole state of the page is its address: who sends it on sends what is seen.

import { signal, type ReadonlySignal } from "@preact/signals";

/** What the address says: the view, and the parameters of the query. */
export interface Address {
  /** The path without the leading slash: "blocks", "trace/0af7…". */
  path: string;
  params: URLSearchParams;
}

function read(): Address {
  return { path: location.pathname.replace(/^\/+/, ""), params: new URLSearchParams(location.search) };
}

const current = signal(read());

/** The address, as a signal. */
export const address: ReadonlySignal<Address> = current;

/** Parameters that stay when the view changes. */
const COMMON = ["since", "until", "service", "live"];

/** Returns the address of a view: the common parameters stay, the others are those given. Empty ones are left out. */
export function hrefOf(path: string, changes: Record<string, string> = {}): string {
  const params = new URLSearchParams();
  for (const name of COMMON) {
    const value = current.value.params.get(name);
    if (value) params.set(name, value);
  }
  return hrefWith(path, params, changes);
}

function hrefWith(path: string, params: URLSearchParams, changes: Record<string, string>): string {
  for (const [name, value] of Object.entries(changes)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const query = params.toString();
  return "/" + path + (query ? "?" + query : "");
}

/** Goes to an address of this page. */
export function go(href: string, replace = false): void {
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  current.value = read();
}

/** Changes parameters of the present view. Typing replaces, a choice is a step to go back from. */
export function setParams(changes: Record<string, string>, replace = false): void {
  go(hrefWith(current.value.path, new URLSearchParams(current.value.params), changes), replace);
}

/** The value of a parameter, or the fallback where it is not there. */
export function param(name: string, fallback = ""): string {
  return current.value.params.get(name) ?? fallback;
}

addEventListener("popstate", () => {
  current.value = read();
});

// Links within the page need no loading. All others, and clicks that open a tab, are the browser's.
addEventListener("click", (event) => {
  const link = (event.target as Element | null)?.closest?.("a[href]") as HTMLAnchorElement | null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.origin !== location.origin || link.target || link.download || link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
