import { go, hrefOf } from "./address";
import { helpOpen } from "./help";

/** Makes 1 to 6 switch the view, "/" go to the search field and "?" show help. Returns what ends that. */
export function listenToKeys(views: { path: string; key?: string }[]): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (target.matches("input, textarea, select") || target.isContentEditable) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "?") {
      helpOpen.value = !helpOpen.value;
    } else if (event.key === "Escape") {
      helpOpen.value = false;
    } else if (event.key === "/") {
      event.preventDefault();
      document.querySelector<HTMLInputElement>("[data-search]")?.focus();
    } else {
      const view = views.find((v) => v.key === event.key);
      if (view) go(hrefOf(view.path));
    }
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
