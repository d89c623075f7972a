import { useState } from "preact/hooks";

import { param, setParams } from "./address";

/** The periods to choose from; since is a duration before now. */
const PERIODS: [string, string][] = [
  ["5m", "last 5 minutes"],
  ["15m", "last 15 minutes"],
  ["1h", "last hour"],
  ["6h", "last 6 hours"],
  ["24h", "last 24 hours"],
  ["7d", "last 7 days"],
  ["all", "all time"],
];

/** Chooses a period before now, or one from a moment to another. */
export function PeriodPicker() {
  const since = param("since", "1h");
  const until = param("until");
  const known = !until && PERIODS.some(([value]) => value === since);
  return (
    <>
      <label>
        <span class="hidden">Period</span>
        <select value={known ? since : "custom"} onChange={(e) => setParams({ since: e.currentTarget.value, until: "" })}>
          {!known && (
            <option value="custom" selected>
              {text(since)} to {text(until) || "now"}
            </option>
          )}
          {PERIODS.map(([value, name]) => (
            <option key={value} value={value} selected={known && value === since}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Moments key={since + " " + until} since={since} until={until} />
    </>
  );
}

/** Fields for the beginning and the end of a period, by the clock of whoever looks. */
function Moments(props: { since: string; until: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="menu" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>From … to …</summary>
      {open && (
        <form
          class="moments"
          onSubmit={(e) => {
            e.preventDefault();
            const fields = new FormData(e.currentTarget);
            const moment = (name: string) => {
              const value = String(fields.get(name) ?? "");
              return value && new Date(value).toISOString().replace(".000", "");
            };
            setOpen(false);
            setParams({ since: moment("since"), until: moment("until") });
          }}
        >
          <label>
            From <input type="datetime-local" name="since" step="60" required value={local(props.since)} />
          </label>
          <label>
            to <input type="datetime-local" name="until" step="60" value={local(props.until)} /> (empty is now)
          </label>
          <button type="submit">Show</button>
        </form>
      )}
    </details>
  );
}

const UNITS: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** The moment that a parameter says, in ms, NaN for none: a time, or a duration before now. */
function momentOf(value: string): number {
  const before = /^(\d+)([smhd])$/.exec(value);
  return before ? Date.now() - Number(before[1]) * (UNITS[before[2] ?? ""] ?? 0) : Date.parse(value);
}

/** A parameter for a field: the local time to the minute. */
function local(value: string): string {
  const ms = momentOf(value);
  if (Number.isNaN(ms)) return "";
  return new Date(ms - 6e4 * new Date(ms).getTimezoneOffset()).toISOString().slice(0, 16);
}

/** A parameter for people: moments in local time, durations as they are. */
function text(value: string): string {
  return /^\d{4}-/.test(value) ? local(value).replace("T", " ") : value;
}
