// The texts of the spans of a trace, made once, so that a key of a search of 100 000 spans costs no more than a frame or two.

import type { Attribute, Span } from "./api";

const CHUNK = 2000; // spans whose texts are made at a time, while nothing else is to do

/** Texts of spans for searches without regard to case. */
export class SpanIndex {
  readonly #texts: string[] = [];
  #last = { text: "", found: new Set<number>() };

  constructor(readonly spans: Span[]) {}

  /** Makes all texts piece by piece. Returns what ends that. */
  prepare(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const go = () => {
      for (let n = 0; n < CHUNK && this.#texts.length < this.spans.length; n++) this.#at(this.#texts.length);
      if (this.#texts.length < this.spans.length) timer = setTimeout(go);
    };
    timer = setTimeout(go);
    return () => clearTimeout(timer);
  }

  /** The spans that have a text, by their index, ascending; null for no text. */
  find(search: string): Set<number> | null {
    const text = search.toLowerCase();
    if (text === "") return null;
    // What has a longer text has what it begins with, too.
    const narrowed = this.#last.text !== "" && text.startsWith(this.#last.text);
    const among = narrowed ? this.#last.found : this.spans.keys();
    const found = new Set<number>();
    for (const i of among) if (this.#at(i).includes(text)) found.add(i);
    this.#last = { text, found };
    return found;
  }

  #at(i: number): string {
    let text = this.#texts[i];
    if (text === undefined) {
      text = textOf(this.spans[i] as Span);
      this.#texts[i] = text;
    }
    return text;
  }
}

/** All texts of a span in lower case, apart from each other by a character that nobody types. */
function textOf(s: Span): string {
  const all = (list: Attribute[]) => list.flatMap((a) => [a.key, a.value]);
  return [s.name, s.service, s.span_id, s.status_message, ...all(s.attributes), ...s.events.flatMap((e) => [e.name, ...all(e.attributes)])].join("\u0000").toLowerCase();
}
