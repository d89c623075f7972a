// The page: creates the views and lets each know what the others were asked for.

import { assignTints, blockRGB, cssColor } from "./color.js";
import { blockColumns } from "./columns.js";
import { describeNode } from "./describe.js";
import { showDetails } from "./details.js";
import { FlameGraph } from "./flame.js";
import { formatCount, formatPercent } from "./format.js";
import { showFacts, showTracks, showWarnings } from "./header.js";
import { ROOT } from "./layout.js";
import { showChildren, showPath } from "./outline.js";
import { blockFilter, readProfile } from "./profile.js";
import { formatState, parseState } from "./state.js";
import { BlockTable } from "./table.js";

/** The tint of what belongs to no track. */
const NEUTRAL = { hue: 0, chroma: 0 };

const find = (id) => document.getElementById(id);

/** Report is the whole page over one profile. Its state is that of the URL's fragment. */
class Report {
  #profile; #tints; #scheme; #state; #graph; #table; #selection = null;

  constructor(profile, state) {
    this.#profile = profile;
    this.#state = state;
    this.#tints = assignTints(profile.tracks.map((track) => track.name));
    this.#scheme = matchMedia("(prefers-color-scheme: dark)");
    showFacts(find("facts"), profile);
    showWarnings(find("warnings"), profile);
    find("content").hidden = profile.blocks.length === 0;
    find("empty").hidden = profile.blocks.length > 0;
    if (profile.blocks.length === 0) return;
    this.#createGraph();
    this.#createTable();
    this.#listen();
    this.#filter();
    this.#restore();
  }

  #createGraph() {
    const { nodes, spans } = this.#profile;
    const site = (node) => this.#profile.siteOf(node);
    const canvas = find("flame");
    canvas.setAttribute("aria-label", `Call tree of ${formatCount(nodes.parent.length)} paths`);
    const metrics = {
      total: { values: nodes.total, inclusive: true },
      self: { values: nodes.self, inclusive: false },
      count: { values: nodes.count, inclusive: false },
      errors: { values: nodes.errors, inclusive: false },
    };
    if (nodes.critical) metrics.critical = { values: nodes.critical, inclusive: false };
    find("critical").hidden = !nodes.critical;
    if (!Object.hasOwn(metrics, this.#state.metric)) this.#state.metric = "total";
    const root = `All paths · ${formatCount(spans)} spans`;
    this.#graph = new FlameGraph(canvas, { parent: nodes.parent, metrics, label: (n) => (n === ROOT ? root : site(n).name) }, {
      metric: this.#state.metric,
      color: (node) => this.#color(site(node)),
      describe: (node, hidden) => describeNode(this.#profile, this.#graph.layout, this.#state.metric, node, hidden),
      onZoom: (node) => this.#zoomed(node),
      onSelect: (node) => (node === ROOT || site(node).index < 0 ? this.#close() : this.#select(site(node), node)),
    });
    document.querySelector(`input[name=metric][value=${this.#state.metric}]`).checked = true;
  }

  #createTable() {
    const { blocks } = this.#profile;
    const columns = blockColumns(this.#profile, (block) => this.#trackColor(block.track));
    const [, sign, key] = this.#state.sort.match(/^(-?)(.*)$/);
    this.#table = new BlockTable(find("blocks"), columns, blocks, {
      caption: "Blocks",
      sort: { key, descending: sign === "-" },
      onSort: (sort) => this.#save({ sort: (sort.descending ? "-" : "") + sort.key }),
      onSelect: (index) => this.#select(blocks[index], ROOT),
    });
  }

  #listen() {
    find("metrics").addEventListener("change", (event) => this.#setMetric(event.target.value));
    find("search").addEventListener("input", (event) => {
      this.#save({ q: event.target.value });
      this.#filter();
    });
    find("reset").addEventListener("click", () => this.#graph.zoom(ROOT));
    this.#scheme.addEventListener("change", () => this.#recolor());
    document.addEventListener("keydown", (event) => this.#key(event));
    find("outline").addEventListener("toggle", () => this.#showOutline());
  }

  /** Brings the views to the state the page was opened with. */
  #restore() {
    const { q, zoom, block } = this.#state;
    find("search").value = q;
    const node = zoom === "" ? ROOT : this.#profile.nodeKeys.indexOf(parseInt(zoom, 36));
    this.#graph.zoom(Math.max(node, ROOT));
    const selected = block === "" ? undefined : this.#profile.blocks.find(({ key }) => key === parseInt(block, 36));
    if (selected) this.#select(selected, node >= 0 && this.#profile.nodes.block[node] === selected.index ? node : ROOT);
  }

  #color(block) {
    return cssColor(blockRGB(this.#tints.get(block.track) ?? NEUTRAL, block.name, this.#scheme.matches));
  }

  #trackColor(track) {
    return cssColor(blockRGB(this.#tints.get(track), "", this.#scheme.matches));
  }

  #recolor() {
    this.#graph.redraw();
    this.#table.redraw();
    this.#showTracks();
    if (this.#selection) this.#showSelection();
  }

  #save(changes) {
    Object.assign(this.#state, changes);
    history.replaceState(null, "", formatState(this.#state) || "#");
  }

  #setMetric(metric) {
    this.#save({ metric });
    this.#graph.setMetric(metric);
    this.#filter();
    this.#showOutline();
  }

  /** Applies search and track to the table and to the graph. */
  #filter() {
    const { blocks } = this.#profile;
    const keep = blockFilter(this.#state.q, this.#state.track);
    this.#table.filter(keep ?? (() => true));
    const kept = keep && new Set(blocks.filter(keep));
    const { matches, share } = this.#graph.highlight(kept && ((node) => kept.has(this.#profile.siteOf(node))));
    find("share").textContent = keep ? `${formatCount(matches)} paths, ${formatPercent(share)} of the graph` : "";
    const all = formatCount(blocks.length);
    find("shown").textContent = keep ? `${formatCount(this.#table.length)} of ${all}` : all;
    find("none").hidden = this.#table.length > 0;
    this.#showTracks();
  }

  #showTracks() {
    const toggle = (name) => {
      this.#save({ track: this.#state.track === name ? "" : name });
      this.#filter();
    };
    const focused = [...find("tracks").querySelectorAll("button")].indexOf(document.activeElement);
    showTracks(find("tracks"), this.#profile, (track) => this.#trackColor(track), this.#state.track, toggle);
    find("tracks").querySelectorAll("button")[focused]?.focus();
  }

  #zoomed(node) {
    this.#save({ zoom: node === ROOT ? "" : this.#profile.nodeKeys[node].toString(36) });
    find("reset").disabled = node === ROOT;
    this.#showOutline();
  }

  #showOutline() {
    const [layout, node] = [this.#graph.layout, this.#graph.zoomed];
    const pick = (other) => this.#graph.zoom(other);
    showPath(find("path"), this.#profile, layout, node, pick);
    const { errors } = this.#profile;
    find("flat").hidden = this.#state.metric !== "errors" || errors > 0;
    if (find("outline").open) showChildren(find("children"), this.#profile, layout, node, pick);
  }

  #select(block, node) {
    this.#selection = { block, node };
    this.#save({ block: block.key.toString(36) });
    this.#graph.select(node === ROOT ? null : node);
    this.#table.select(block.index, node !== ROOT);
    this.#showSelection();
  }

  #showSelection() {
    const { block, node } = this.#selection;
    const pane = find("details");
    showDetails(pane, this.#profile, block, node, {
      color: this.#trackColor(block.track),
      pick: (other) => {
        this.#graph.zoom(other);
        this.#select(block, other);
      },
      close: () => this.#close(),
    });
    pane.hidden = false;
    pane.scrollTop = 0;
    document.body.classList.add("with-details");
  }

  #close() {
    const pane = find("details");
    const focused = pane.contains(document.activeElement);
    this.#selection = null;
    pane.hidden = true;
    document.body.classList.remove("with-details");
    this.#graph.select(null);
    this.#table.select(-1);
    this.#save({ block: "" });
    if (focused) find("blocks").querySelector("table").focus();
  }

  /** "/" goes to the search; Escape empties it, or else closes the details. */
  #key(event) {
    const search = find("search");
    if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search && search.value !== "") {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    } else if (event.key === "Escape" && event.target !== find("flame") && this.#selection) {
      this.#close();
    }
  }
}

new Report(readProfile(document), parseState(location.hash));
