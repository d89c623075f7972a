// What all charts have in common: their width, a brush, and axes of durations.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Histogram } from "./api";
import { duration } from "./format";

/** Returns a ref for the box of a chart, and its width in px. */
export function useWidth<E extends HTMLElement>(): [{ current: E | null }, number] {
  const box = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    watcher.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => watcher.disconnect();
  }, []);
  return [box, width];
}

/** A region of a chart, in px from its left upper corner. */
export interface Region {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const CLICK = 4; // px: a shorter drag is a click

/** Follows a drag over a chart: returns the region so far, and the handlers for the chart's element. */
export function useBrush(onRegion: (region: Region) => void) {
  const [region, setRegion] = useState<Region | null>(null);
  const start = useRef<{ x: number; y: number } | null>(null);
  const place = (e: PointerEvent) => {
    const rect = (e.currentTarget as Element).getBoundingClientRect();
    return { x: e.clientX - rect.left, y: e.clientY - rect.top };
  };
  const between = (a: { x: number; y: number }, b: { x: number; y: number }): Region => ({
    left: Math.min(a.x, b.x),
    right: Math.max(a.x, b.x),
    top: Math.min(a.y, b.y),
    bottom: Math.max(a.y, b.y),
  });
  const handlers = {
    onPointerDown: (e: PointerEvent) => {
      if (e.button !== 0) return;
      start.current = place(e);
      (e.currentTarget as Element).setPointerCapture(e.pointerId);
    },
    onPointerMove: (e: PointerEvent) => {
      if (start.current) setRegion(between(start.current, place(e)));
    },
    onPointerUp: (e: PointerEvent) => {
      if (!start.current) return;
      const r = between(start.current, place(e));
      start.current = null;
      setRegion(null);
      if (r.right - r.left >= CLICK) onRegion(r);
    },
    onPointerCancel: () => {
      start.current = null;
      setRegion(null);
    },
  };
  return { region, handlers };
}

/** The lower bound of bucket number i, in ns. That of the next is its upper bound. */
export function bound(h: Pick<Histogram, "scale" | "offset">, i: number): number {
  return 2 ** ((h.offset + i) / 2 ** h.scale);
}

/** The place of a duration among buckets: 1.5 is the (logarithmic) middle of number 1. */
export function placeOf(h: Pick<Histogram, "scale" | "offset">, ns: number): number {
  return Math.log2(Math.max(ns, 1e-9)) * 2 ** h.scale - h.offset;
}

/** The powers of ten, or 1, 2 and 5 times these, within n buckets, as their place and text. */
export function durationTicks(h: Pick<Histogram, "scale" | "offset">, n: number): { at: number; text: string }[] {
  const from = bound(h, 0);
  const to = bound(h, n);
  const steps = to / from > 1e4 ? [1] : to / from > 30 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks: { at: number; text: string }[] = [];
  for (let power = 10 ** Math.floor(Math.log10(from)); power <= to; power *= 10) {
    for (const step of steps) {
      const ns = power * step;
      if (ns >= from && ns <= to) ticks.push({ at: placeOf(h, ns), text: duration(ns).replace(/\.0+ /, " ") });
    }
  }
  return ticks;
}

/** Moments for the axis of a period from a to b (ms), about n of them, at full units of the clock. */
export function timeTicks(a: number, b: number, n: number): { at: number; text: string }[] {
  const steps = [1e3, 5e3, 15e3, 6e4, 3e5, 9e5, 18e5, 36e5, 108e5, 216e5, 432e5, 864e5, 6048e5];
  const step = steps.find((s) => (b - a) / s <= n) ?? (b - a) / n;
  const ticks: { at: number; text: string }[] = [];
  for (let t = Math.ceil(a / step) * step; t < b; t += step) ticks.push({ at: (t - a) / (b - a), text: momentText(t, step) });
  return ticks;
}

function momentText(ms: number, step: number): string {
  const d = new Date(ms);
  const two = (v: number) => String(v).padStart(2, "0");
  if (step >= 864e5) return `${d.getMonth() + 1}/${d.getDate()}`;
  return `${two(d.getHours())}:${two(d.getMinutes())}${step < 6e4 ? ":" + two(d.getSeconds()) : ""}`;
}
