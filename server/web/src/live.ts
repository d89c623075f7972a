// Whether there is something new on the server: it tells by server-sent events while the page is live.

import { computed, effect, signal } from "@preact/signals";

import { address } from "./address";

/** Counts the changes on the server that the page follows. */
export const changes = signal(0);

/** Whether the connection for them stands. */
export const connected = signal(false);

const live = computed(() => address.value.params.get("live") === "1");

effect(() => {
  if (!live.value) return;
  const source = new EventSource("/api/v1/events?interval=2s");
  source.onopen = () => {
    connected.value = true;
  };
  source.onerror = () => {
    connected.value = false;
  };
  source.addEventListener("change", () => {
    if (document.visibilityState === "visible") changes.value++;
  });
  return () => {
    source.close();
    connected.value = false;
  };
});
