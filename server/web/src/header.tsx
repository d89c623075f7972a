import { address, hrefOf, param, setParams } from "./address";
import { Help, helpOpen } from "./help";
import { connected } from "./live";
import { useAnswer } from "./resource";

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

export function Header(props: { views: { path: string; title: string; key?: string }[]; current: string }) {
  return (
    <header class="top">
      <a class="brand" href={hrefOf("blocks")}>
        <img src="/assets/icon.svg" alt="" width="20" height="20" /> otelprof
      </a>
      <nav aria-label="Views">
        {props.views
          .filter((v) => v.key)
          .map((v) => (
            <a key={v.path} href={hrefOf(v.path)} aria-current={v.path === props.current ? "page" : undefined} title={`${v.title} (${v.key})`}>
              {v.title}
            </a>
          ))}
      </nav>
      <div class="choices">
        <ServicePicker />
        <PeriodPicker />
        <LiveSwitch />
        <button type="button" class="quiet" aria-label="Keys and help" title="Keys and help (?)" onClick={() => (helpOpen.value = true)}>
          ?
        </button>
      </div>
      <Help />
    </header>
  );
}

function ServicePicker() {
  const answer = useAnswer<{ services: string[] }>(() => ({ path: "services" }));
  const chosen = param("service");
  const services = answer.data.value?.services ?? [];
  const all = chosen && !services.includes(chosen) ? [chosen, ...services] : services;
  return (
    <label>
      <span class="hidden">Service</span>
      <select value={chosen} onChange={(e) => setParams({ service: e.currentTarget.value })}>
        <option value="">all services</option>
        {all.map((s) => (
          <option key={s} value={s} selected={s === chosen}>
            {s || "(no name)"}
          </option>
        ))}
      </select>
    </label>
  );
}

function PeriodPicker() {
  const since = param("since", "1h");
  const until = param("until");
  const known = !until && PERIODS.some(([value]) => value === since);
  return (
    <label>
      <span class="hidden">Period</span>
      <select value={known ? since : "custom"} onChange={(e) => setParams({ since: e.currentTarget.value, until: "" })}>
        {!known && (
          <option value="custom" selected>
            {since} to {until || "now"}
          </option>
        )}
        {PERIODS.map(([value, text]) => (
          <option key={value} value={value} selected={known && value === since}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function LiveSwitch() {
  const on = address.value.params.get("live") === "1";
  return (
    <button type="button" class={on ? "live on" : "live"} aria-pressed={on} title="Follow what comes in" onClick={() => setParams({ live: on ? "" : "1" })}>
      <span class="dot" aria-hidden="true" /> {on && !connected.value ? "connecting" : "live"}
    </button>
  );
}
