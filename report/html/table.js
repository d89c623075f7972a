// A table of any number of rows: sorted, filtered, and with only the rows in sight in the document.

import { element } from "./element.js";

const ROW_HEIGHT = 32;
/** Rows kept above and below the visible ones, so that scrolling does not flash. */
const MARGIN = 8;

const collator = new Intl.Collator("en", { numeric: true });

/** Compares two values of one column: numbers by size, texts as a person would. */
function compareValues(a, b) {
  return typeof a === "number" ? a - b : collator.compare(a, b);
}

/**
 * Returns the numbers of the rows that keep(row) accepts, ordered by a column and then by their number, so that equal
 * values keep one order in both directions.
 */
function sortedRows(rows, keep, column, descending) {
  const sign = descending ? -1 : 1;
  const values = rows.map((row) => column.value(row));
  return rows
    .map((_, i) => i)
    .filter((i) => keep(rows[i]))
    .sort((i, j) => sign * compareValues(values[i], values[j]) || i - j);
}

/**
 * BlockTable shows rows in a scrolling box.
 *
 * A column is {key, label, title, width, value, text, hint, bar, swatch}: value(row) sorts it, text(row) is shown,
 * hint(row) is the tooltip, bar(row) a share 0…1 drawn behind the text, swatch(row) a colour put before it. Columns
 * whose values are numbers are right-aligned and sort in descending order first.
 *
 * options: sort {key, descending}, onSort({key, descending}), onSelect(row number), caption.
 * The whole table is one tab stop: arrows, Page Up/Down, Home and End move, Enter picks.
 */
class BlockTable {
  #rows; #columns; #options; #sort;
  #shown = []; #active = 0; #selected = -1; #keep = () => true;
  #scroller; #table; #body; #headers = new Map(); #pending = 0;

  constructor(container, columns, rows, options) {
    this.#columns = columns;
    this.#rows = rows;
    this.#options = options;
    this.#sort = options.sort;
    this.#build(container);
    this.#update();
    new ResizeObserver(() => this.#schedule()).observe(this.#scroller);
  }

  /** The number of rows that passed the filter. */
  get length() {
    return this.#shown.length;
  }

  /** Shows only the rows that keep(row) accepts. */
  filter(keep) {
    this.#keep = keep;
    this.#scroller.scrollTop = 0;
    this.#active = 0;
    this.#update();
  }

  /** Marks a row as selected, -1 for none, and scrolls to it if asked. */
  select(index, reveal = false) {
    this.#selected = index;
    const place = this.#shown.indexOf(index);
    if (place >= 0) this.#active = place;
    if (place >= 0 && reveal) this.#reveal();
    this.#render();
  }

  /** Draws the visible rows anew, for example after the colour scheme changed. */
  redraw() {
    this.#render();
  }

  #build(container) {
    const headers = this.#columns.map((column) => {
      const button = element("button", { type: "button", title: column.title, click: () => this.#sortBy(column) }, column.label);
      const header = element("th", { scope: "col", class: this.#alignment(column) }, button);
      this.#headers.set(column.key, header);
      return header;
    });
    const widths = this.#columns.map((column) => {
      const col = element("col");
      col.style.width = `${column.width}px`;
      return col;
    });
    this.#body = element("tbody");
    this.#table = element(
      "table",
      { role: "grid", tabindex: "0", "aria-label": this.#options.caption, keydown: (event) => this.#key(event) },
      element("colgroup", {}, ...widths),
      element("thead", {}, element("tr", {}, ...headers)),
      this.#body,
    );
    this.#table.style.minWidth = `${this.#columns.reduce((sum, column) => sum + column.width, 0)}px`;
    this.#scroller = element("div", { class: "table-scroller", scroll: () => this.#schedule() }, this.#table);
    this.#scroller.style.setProperty("--row-height", `${ROW_HEIGHT}px`);
    container.append(this.#scroller);
  }

  #alignment(column) {
    return this.#rows.length > 0 && typeof column.value(this.#rows[0]) === "number" ? "number" : "text";
  }

  #sortBy(column) {
    const numeric = this.#alignment(column) === "number";
    const again = this.#sort.key === column.key;
    this.#sort = { key: column.key, descending: again ? !this.#sort.descending : numeric };
    this.#update();
    this.#options.onSort?.(this.#sort);
  }

  #update() {
    const column = this.#columns.find(({ key }) => key === this.#sort.key) ?? this.#columns[0];
    this.#shown = sortedRows(this.#rows, this.#keep, column, this.#sort.descending);
    this.#active = Math.min(this.#active, Math.max(this.#shown.length - 1, 0));
    for (const [key, header] of this.#headers) {
      const direction = this.#sort.descending ? "descending" : "ascending";
      header.setAttribute("aria-sort", key === column.key ? direction : "none");
    }
    this.#table.setAttribute("aria-rowcount", this.#shown.length + 1);
    this.#render();
  }

  #schedule() {
    this.#pending ||= requestAnimationFrame(() => {
      this.#pending = 0;
      this.#render();
    });
  }

  #render() {
    const first = Math.max(Math.floor(this.#scroller.scrollTop / ROW_HEIGHT) - MARGIN, 0);
    const height = this.#scroller.clientHeight || window.innerHeight;
    const last = Math.min(first + Math.ceil(height / ROW_HEIGHT) + 2 * MARGIN, this.#shown.length);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.#row(place));
    this.#body.replaceChildren(this.#gap(first), ...rows, this.#gap(this.#shown.length - last));
    const active = rows[this.#active - first];
    if (active) this.#table.setAttribute("aria-activedescendant", active.id);
    else this.#table.removeAttribute("aria-activedescendant");
  }

  /** Returns an empty row in place of n rows that are not in the document. */
  #gap(n) {
    const row = element("tr", { class: "gap", "aria-hidden": "true" });
    row.style.height = `${n * ROW_HEIGHT}px`;
    return row;
  }

  #row(place) {
    const index = this.#shown[place];
    const row = this.#rows[index];
    return element(
      "tr",
      {
        id: `block-${index}`,
        class: place === this.#active ? "active" : undefined,
        "aria-rowindex": String(place + 2), // the header is row 1
        "aria-selected": String(index === this.#selected),
        click: () => this.#pick(place),
      },
      ...this.#columns.map((column) => this.#cell(column, row)),
    );
  }

  #cell(column, row) {
    const cell = element("td", { class: this.#alignment(column), title: column.hint?.(row), "data-column": column.key });
    if (column.bar) {
      const bar = element("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${Math.min(column.bar(row), 1) * 100}%`;
      cell.append(bar);
    }
    if (column.swatch) {
      const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = column.swatch(row);
      cell.append(swatch);
    }
    cell.append(element("span", { class: column.style?.(row) }, column.text(row)));
    return cell;
  }

  #pick(place) {
    this.#active = place;
    this.#selected = this.#shown[place];
    this.#render();
    this.#options.onSelect?.(this.#selected);
  }

  #key(event) {
    if (event.target !== this.#table || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(Math.floor(this.#scroller.clientHeight / ROW_HEIGHT) - 2, 1);
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    if (Object.hasOwn(steps, event.key)) {
      event.preventDefault();
      this.#active = Math.min(Math.max(this.#active + steps[event.key], 0), Math.max(this.#shown.length - 1, 0));
      this.#reveal();
      this.#render();
    } else if ((event.key === "Enter" || event.key === " ") && this.#shown.length > 0) {
      event.preventDefault();
      this.#pick(this.#active);
    }
  }

  /** Scrolls just as far as it takes to see the active row below the header. */
  #reveal() {
    const top = this.#active * ROW_HEIGHT;
    const room = this.#scroller.clientHeight - this.#table.tHead.offsetHeight;
    const { scrollTop } = this.#scroller;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + room) this.#scroller.scrollTop = top + ROW_HEIGHT - room;
  }
}

export { BlockTable, sortedRows };
