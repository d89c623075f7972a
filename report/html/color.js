// Colours of tracks. A track keeps its colour from report to report, and text on it keeps WCAG AA contrast.

/** Hues that are told apart at a glance. Each comes in two tones, so that 24 tracks differ. */
const HUES = 12;
const TONES = [0.105, 0.04]; // chroma: vivid, muted

/** FNV-1a over UTF-16 units: short, and good enough to spread names and to identify paths in the URL. */
function hashText(text, seed = 0x811c9dc5) {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * Gives each track a tint {hue, chroma}. A track gets the hue its name hashes to; if another track of the report has it
 * already, the next free one. So a colour depends on the other tracks only where two would look alike.
 */
function assignTints(tracks) {
  const tints = new Map();
  const taken = new Set();
  for (const track of [...tracks].sort()) {
    let slot = hashText(track) % HUES;
    const tone = Math.floor(tints.size / HUES) % TONES.length;
    if (tints.size % HUES === 0) taken.clear(); // all hues of a tone are given away
    while (taken.has(slot)) slot = (slot + 5) % HUES; // 5 is coprime to 12: visits all
    taken.add(slot);
    tints.set(track, { hue: (slot * 360) / HUES, chroma: TONES[tone] });
  }
  return tints;
}

/** Converts OKLCH, in which equal lightness looks equally light in every hue, to [r, g, b] in 0…255. */
function oklchToRGB(lightness, chroma, degrees) {
  const a = chroma * Math.cos((degrees * Math.PI) / 180);
  const b = chroma * Math.sin((degrees * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((linear) => {
    const v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return Math.round(Math.min(Math.max(v, 0), 1) * 255);
  });
}

/**
 * Returns the fill of a block as [r, g, b]: the tint of its track, in one of three shades by its name, so that
 * neighbours of one track differ.
 */
function blockRGB({ hue, chroma }, name, dark) {
  const shade = hashText(name) % 3;
  return dark ? oklchToRGB(0.4 + shade * 0.025, chroma, hue) : oklchToRGB(0.87 - shade * 0.03, chroma, hue);
}

/** Returns [r, g, b] as a CSS colour. */
function cssColor([r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

/** Returns the WCAG contrast ratio of two [r, g, b] colours, 1…21. */
function contrast(one, other) {
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [hi, lo] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (hi + 0.05) / (lo + 0.05);
}

export { assignTints, blockRGB, contrast, cssColor, hashText, oklchToRGB };
