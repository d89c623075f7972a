import { computed } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { address } from "./address";
import { listenToKeys } from "./keys";
import { Header } from "./header";
import { BlockView } from "./views/block";
import { BlocksView } from "./views/blocks";
import { CompareView } from "./views/compare";
import { FlameView } from "./views/flame";
import { MapView } from "./views/map";
import { NotFound } from "./views/notfound";
import { SnapshotsView } from "./views/snapshots";
import { TraceView } from "./views/trace";
import { TracesView } from "./views/traces";

/** The views by the first part of the path, in the order of their keys and of the navigation. */
export const VIEWS: { path: string; title: string; key?: string; view: ComponentType }[] = [
  { path: "blocks", title: "Blocks", key: "1", view: BlocksView },
  { path: "flame", title: "Flame", key: "2", view: FlameView },
  { path: "traces", title: "Traces", key: "3", view: TracesView },
  { path: "compare", title: "Compare", key: "4", view: CompareView },
  { path: "map", title: "Map", key: "5", view: MapView },
  { path: "snapshots", title: "Snapshots", key: "6", view: SnapshotsView },
  { path: "trace", title: "Trace", view: TraceView },
  { path: "block", title: "Block", view: BlockView },
];

const first = computed(() => address.value.path.split("/")[0] || "blocks");

export function App() {
  useEffect(() => listenToKeys(VIEWS), []);
  const found = VIEWS.find((v) => v.path === first.value);
  const View = found?.view ?? NotFound;
  useEffect(() => {
    document.title = (found ? found.title + " · " : "") + "otelprof";
  }, [found]);
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Header views={VIEWS} current={first.value} />
      <main id="content" tabIndex={-1}>
        <View />
      </main>
    </>
  );
}
