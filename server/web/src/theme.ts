import { signal } from "@preact/signals";

const query = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark, as the system is. */
export const isDark = signal(query.matches);

query.addEventListener("change", () => {
  isDark.value = query.matches;
});
