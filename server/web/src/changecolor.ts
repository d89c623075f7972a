import { oklchToRGB } from "../../../report/html/color.js";
import type { Verdict } from "./api";

/** The fill of what changed by a share of itself, 1 for twice as much: red is slower, blue is faster, grey may be chance. */
export function changeRGB(verdict: Verdict, change: number, dark: boolean): [number, number, number] {
  if (verdict === "unchanged" || verdict === "inconclusive") return oklchToRGB(dark ? 0.38 : 0.9, 0.005, 60);
  const strength = Math.min(Math.abs(change), 1);
  const worse = verdict === "regression" || verdict === "appeared";
  return oklchToRGB(dark ? 0.45 : 0.86 - 0.16 * strength, 0.06 + 0.12 * strength, worse ? 25 : 250);
}
