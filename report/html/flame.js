// The flame graph: an icicle on a canvas, for any tree. It knows nothing of profiles or of the page around it.

import { element } from "./element.js";
import { cutText } from "./format.js";
import { ROOT, TreeLayout, rectAt } from "./layout.js";

const ROW_HEIGHT = 22;
const MAX_VISIBLE_ROWS = 26;
const MIN_WIDTH = 1.5;
const MIN_LABEL_WIDTH = 28;
const LABEL_PADDING = 6;
const DIMMED = 0.22;

/**
 * FlameGraph draws a tree into a canvas and lets pointer and keyboard walk and zoom it.
 *
 *   const graph = new FlameGraph(canvas, data, options);
 *
 * data describes the tree by columns; nodes are numbers, ROOT (-1) stands above all roots:
 *   parent    parent[i] is the parent of node i, -1 for a root, always less than i
 *   metrics   {name: {values, inclusive}}: a number per node and metric; see TreeLayout.measure
 *   label     (node) => the text on its rectangle
 * options:
 *   metric    the name of the metric to start with
 *   color     (node) => a CSS colour
 *   describe  (node, hidden) => {title, rows: [[name, value]…], notes: […]} for the tooltip and for screen readers;
 *             hidden > 0 means that many small siblings from this node on
 *   minWidth  how many pixels wide a node must be to be drawn alone; MIN_WIDTH when left out
 *   onZoom    (node) => called after the zoom changed
 *   onSelect  (node) => called when the user picks a node; ROOT when the user picks the root row
 *
 * The canvas is put into a scrolling box of its own. Only the rows in sight are drawn, nodes narrower than
 * minWidth are not even laid out, so that the cost follows what can be seen. The colours of text and lines
 * come from the custom properties --flame-text, --flame-rest and --flame-focus.
 */
class FlameGraph {
  #canvas; #scroller; #space; #tooltip; #status; #context;
  #data; #options; #layout; #metric;
  #rows = []; #zoom = ROOT; #cursor = ROOT; #selected = null; #hover = null; #marks = null;
  #pending = 0; #resizes; #labelWidths = new Map();

  constructor(canvas, data, options) {
    this.#canvas = canvas;
    this.#data = data;
    this.#options = options;
    this.#context = canvas.getContext("2d");
    this.#layout = new TreeLayout(data.parent);
    this.#wrap();
    this.#listen();
    this.#resizes = new ResizeObserver(() => this.#arrange());
    this.#resizes.observe(this.#scroller);
    this.setMetric(options.metric);
  }

  /** The geometry, for those who show the tree in another way too. */
  get layout() {
    return this.#layout;
  }

  /** The node that fills the width. */
  get zoomed() {
    return this.#zoom;
  }

  /** Lays the tree out by another metric. A zoom stays, unless its node weighs nothing in that metric. */
  setMetric(name) {
    const { values, inclusive } = this.#data.metrics[name];
    this.#metric = name;
    this.#layout.measure(values, inclusive);
    if (this.#layout.widthOf(this.#zoom) === 0) {
      this.zoom(ROOT);
      return;
    }
    this.#arrange();
  }

  /** Makes a node fill the width; ROOT shows everything. A node without weight cannot be zoomed to. */
  zoom(node) {
    if (this.#layout.widthOf(node) === 0) return;
    this.#zoom = node;
    this.#cursor = node;
    this.#hover = null;
    this.#arrange();
    this.#scroller.scrollTop = Math.max(0, (this.#layout.pathTo(node).length - 3) * ROW_HEIGHT);
    this.#options.onZoom?.(node);
  }

  /** Outlines a node; null outlines none. */
  select(node) {
    this.#selected = node;
    this.redraw();
  }

  /**
   * Dims all nodes but those that match (a function of a node); null ends this. Returns how many nodes match and
   * which share of the graph's width lies in them.
   */
  highlight(matches) {
    const n = this.#data.parent.length;
    this.#marks = matches && Uint8Array.from({ length: n }, (_, node) => (matches(node) ? 1 : 0));
    this.redraw();
    if (!this.#marks) return { matches: n, share: 1 };
    return { matches: this.#marks.reduce((sum, mark) => sum + mark, 0), share: this.#layout.markedShare(this.#marks) };
  }

  /** Draws anew in the next frame, for example after the colour scheme changed. */
  redraw() {
    this.#pending ||= requestAnimationFrame(() => {
      this.#pending = 0;
      this.#draw();
    });
  }

  /** Ends all observing; the graph must not be used any more. */
  destroy() {
    this.#resizes.disconnect();
    cancelAnimationFrame(this.#pending);
    this.#scroller.replaceWith(this.#canvas);
  }

  #wrap() {
    this.#space = element("div", { class: "flame-space" });
    this.#tooltip = element("div", { class: "flame-tooltip", role: "tooltip", hidden: true });
    this.#status = element("p", { class: "visually-hidden", role: "status" });
    this.#scroller = element("div", { class: "flame" });
    this.#canvas.replaceWith(this.#scroller);
    this.#space.append(this.#canvas);
    this.#scroller.append(this.#space, this.#tooltip, this.#status);
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "application");
    this.#canvas.setAttribute("aria-roledescription", "flame graph");
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    canvas.addEventListener("pointerleave", () => this.#unpoint());
    canvas.addEventListener("click", (event) => this.#click(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.redraw());
    canvas.addEventListener("blur", () => this.#unpoint());
    this.#scroller.addEventListener("scroll", () => this.#unpoint(), { passive: true });
  }

  /** Computes the rows for the present width and zoom, and fits the canvas to them. */
  #arrange() {
    const width = this.#space.clientWidth;
    if (width === 0) return; // not in the document, or hidden
    this.#rows = this.#layout.rows(this.#zoom, width, this.#options.minWidth ?? MIN_WIDTH);
    const height = Math.min(this.#rows.length, MAX_VISIBLE_ROWS) * ROW_HEIGHT;
    this.#scroller.style.height = `${height}px`;
    this.#space.style.height = `${this.#rows.length * ROW_HEIGHT}px`;
    this.#canvas.style.height = `${height}px`;
    this.redraw();
  }

  #draw() {
    const canvas = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio); // also clears it
    canvas.height = Math.round(height * ratio);
    const context = this.#context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(canvas);
    const theme = {
      text: style.getPropertyValue("--flame-text"),
      rest: style.getPropertyValue("--flame-rest"),
      focus: style.getPropertyValue("--flame-focus"),
    };
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = "middle";
    const top = this.#scroller.scrollTop;
    const first = Math.floor(top / ROW_HEIGHT);
    const last = Math.min(this.#rows.length, Math.ceil((top + height) / ROW_HEIGHT));
    for (let row = first; row < last; row++) {
      for (const rect of this.#rows[row]) this.#drawRect(rect, row * ROW_HEIGHT - top, theme);
    }
  }

  #drawRect(rect, y, theme) {
    const context = this.#context;
    const dim = this.#marks && rect.node !== ROOT && !this.#marks[rect.node];
    const gap = rect.width > 4 ? 1 : 0;
    context.globalAlpha = dim ? DIMMED : 1;
    context.fillStyle = rect.node === ROOT || rect.hidden ? theme.rest : this.#options.color(rect.node);
    context.fillRect(rect.x, y, rect.width - gap, ROW_HEIGHT - 1);
    if (rect.width >= MIN_LABEL_WIDTH) {
      context.globalAlpha = dim ? 2 * DIMMED : 1;
      context.fillStyle = theme.text;
      const text = rect.hidden ? `+${rect.hidden}` : this.#data.label(rect.node);
      context.fillText(this.#fit(text, rect.width - 2 * LABEL_PADDING), rect.x + LABEL_PADDING, y + ROW_HEIGHT / 2);
    }
    context.globalAlpha = 1;
    const focused = rect.node === this.#cursor && !rect.hidden && this.#canvas.matches(":focus-visible");
    if (focused || (rect.node === this.#selected && !rect.hidden) || rect === this.#hover) {
      context.strokeStyle = theme.focus;
      context.lineWidth = focused ? 3 : 1.5;
      context.strokeRect(rect.x + 1, y + 1, Math.max(rect.width - gap - 2, 1), ROW_HEIGHT - 3);
    }
  }

  /** Cuts a label to a width in pixels. */
  #fit(text, width) {
    let shown = cutText(text, 200);
    while (this.#textWidth(shown) > width) {
      // Aim at the right length by the mean width of a character, but always get shorter.
      const aim = Math.floor((shown.length * width) / this.#textWidth(shown));
      const length = Math.min(aim, shown.length - 2);
      if (length < 1) return "";
      shown = cutText(text, length);
    }
    return shown;
  }

  #textWidth(text) {
    let width = this.#labelWidths.get(text);
    if (width === undefined) {
      if (this.#labelWidths.size > 20_000) this.#labelWidths.clear();
      width = this.#context.measureText(text).width;
      this.#labelWidths.set(text, width);
    }
    return width;
  }

  /** Returns the rectangle at an event's position, or null. */
  #hit(event) {
    const row = this.#rows[Math.floor((event.offsetY + this.#scroller.scrollTop) / ROW_HEIGHT)];
    return row ? rectAt(row, event.offsetX) : null;
  }

  #point(event) {
    const rect = this.#hit(event);
    this.#canvas.classList.toggle("flame-hit", rect !== null);
    if (rect !== this.#hover) {
      this.#hover = rect;
      this.redraw();
      if (rect) this.#tooltip.replaceChildren(...this.#tooltipContent(rect));
    }
    this.#tooltip.hidden = rect === null;
    if (rect) this.#placeTooltip(event.clientX, event.clientY);
  }

  #unpoint() {
    this.#hover = null;
    this.#tooltip.hidden = true;
    this.redraw();
  }

  #tooltipContent({ node, hidden }) {
    const { title, rows, notes } = this.#options.describe(node, hidden);
    return [
      element("strong", {}, cutText(title, 300)),
      element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      ...notes.map((note) => element("p", {}, note)),
    ];
  }

  /** Puts the tooltip below and right of the pointer, or on the other side where the window ends. */
  #placeTooltip(x, y) {
    const { width, height } = this.#tooltip.getBoundingClientRect();
    const left = x + 14 + width > window.innerWidth ? x - 14 - width : x + 14;
    const top = y + 18 + height > window.innerHeight ? y - 12 - height : y + 18;
    this.#tooltip.style.left = `${Math.max(left, 4)}px`;
    this.#tooltip.style.top = `${Math.max(top, 4)}px`;
  }

  #click(event) {
    const rect = this.#hit(event);
    if (!rect) return;
    // A rectangle of hidden nodes opens up when their parent gets the whole width.
    const node = rect.hidden ? this.#layout.parent[rect.node] : rect.node;
    this.#pick(node);
  }

  #pick(node) {
    this.zoom(node);
    this.#options.onSelect?.(node);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = {
      ArrowUp: () => this.#move(this.#cursor === ROOT ? ROOT : this.#layout.parent[this.#cursor]),
      ArrowDown: () => this.#move(this.#layout.childrenOf(this.#cursor)[0]),
      ArrowLeft: () => this.#moveSideways(-1),
      ArrowRight: () => this.#moveSideways(1),
      Home: () => this.#move(this.#zoom),
      Enter: () => this.#pick(this.#cursor),
      " ": () => this.#pick(this.#cursor),
      Backspace: () => this.zoom(this.#zoom === ROOT ? ROOT : this.#layout.parent[this.#zoom]),
      Escape: () => this.zoom(ROOT),
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    moves[event.key]();
    this.#announce();
  }

  #move(node) {
    if (node === undefined || !this.#position(node)) return;
    this.#cursor = node;
    const y = this.#position(node).row * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.#scroller;
    if (y < scrollTop) this.#scroller.scrollTop = y;
    if (y + ROW_HEIGHT > scrollTop + clientHeight) this.#scroller.scrollTop = y + ROW_HEIGHT - clientHeight;
    this.redraw();
  }

  #moveSideways(step) {
    const position = this.#position(this.#cursor);
    const rect = position && this.#rows[position.row][position.index + step];
    if (rect && !rect.hidden) this.#move(rect.node);
  }

  /** Returns the row of a node and its place in it, or null when it is not drawn. */
  #position(node) {
    const row = this.#layout.pathTo(node).length;
    const index = this.#rows[row]?.findIndex((rect) => rect.node === node && !rect.hidden) ?? -1;
    return index < 0 ? null : { row, index };
  }

  #announce() {
    const { title, rows, notes } = this.#options.describe(this.#cursor, 0);
    const level = `level ${this.#layout.pathTo(this.#cursor).length}`;
    const values = rows.map(([name, value]) => `${name} ${value}`);
    this.#status.textContent = [cutText(title, 200), level, ...values, ...notes].join(", ");
  }
}

export { FlameGraph };
