// The flame graph and its colours are those of the HTML report.
declare module "*/report/html/flame.js" {
  export interface FlameData {
    parent: number[];
    metrics: Record<string, { values: number[]; inclusive: boolean }>;
    label: (node: number) => string;
  }
  export interface FlameOptions {
    metric: string;
    minWidth?: number;
    color: (node: number) => string;
    describe: (node: number, hidden: number) => { title: string; rows: [string, string][]; notes: string[] };
    onZoom?: (node: number) => void;
    onSelect?: (node: number) => void;
  }
  export class FlameGraph {
    constructor(canvas: HTMLCanvasElement, data: FlameData, options: FlameOptions);
    readonly zoomed: number;
    setMetric(name: string): void;
    zoom(node: number): void;
    select(node: number | null): void;
    highlight(matches: ((node: number) => boolean) | null): { matches: number; share: number };
    redraw(): void;
    destroy(): void;
  }
}

declare module "*/report/html/color.js" {
  export interface Tint {
    hue: number;
    chroma: number;
  }
  export function assignTints(tracks: Iterable<string>): Map<string, Tint>;
  export function blockRGB(tint: Tint, name: string, dark: boolean): [number, number, number];
  export function cssColor(rgb: [number, number, number]): string;
  export function oklchToRGB(lightness: number, chroma: number, degrees: number): [number, number, number];
  export function hashText(text: string, seed?: number): number;
}
