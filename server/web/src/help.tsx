import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** Whether the help is shown. */
export const helpOpen = signal(false);

const KEYS: [string, string][] = [
  ["1 – 6", "Blocks, Flame, Traces, Compare, Map, Snapshots"],
  ["/", "go to the search or filter field"],
  ["Esc", "leave a field, close this"],
  ["← ↑ → ↓", "walk through the flame graph; Enter zooms, Backspace goes back"],
  ["?", "this help"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h2>What the figures mean</h2>
      <p>
        <b>Total</b> is the time from start to end of all calls; that of a nested call is in that of every call around it too. <b>Self</b> is the part
        that no child covers: it adds up. <b>Critical</b> is the time by which traces would have been shorter without it.
      </p>
      <button type="button" onClick={() => (helpOpen.value = false)}>
        Close
      </button>
    </dialog>
  );
}
