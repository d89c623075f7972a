import { address, hrefOf, param, setParams } from "./address";
import { middle, named } from "./format";
import { Help, helpOpen } from "./help";
import { connected } from "./live";
import { PeriodPicker } from "./period";
import { useAnswer } from "./resource";

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
  const answer = useAnswer(() => ({ path: "services" }));
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
            {middle(named(s), 40)}
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
