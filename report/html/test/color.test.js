import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { assignTints, blockRGB, contrast, hashText } from "../color.js";

const AA = 4.5;
const names = (n) => Array.from({ length: n }, (_, i) => `track-${i}`);

/** Returns the custom properties of the two schemes in style.css that are plain colours, as {name: [r, g, b]}. */
function themes() {
  const css = readFileSync(new URL("../style.css", import.meta.url), "utf8");
  return css.match(/:root \{[^}]*\}/g).map((block) => {
    const colors = [...block.matchAll(/--([a-z-]+): #(..)(..)(..);/g)];
    return Object.fromEntries(colors.map(([, name, ...rgb]) => [name, rgb.map((hex) => parseInt(hex, 16))]));
  });
}

test("contrast is WCAG's", () => {
  assert.equal(contrast([0, 0, 0], [255, 255, 255]), 21);
  assert.equal(contrast([9, 9, 9], [9, 9, 9]), 1);
  assert.ok(Math.abs(contrast([119, 119, 119], [255, 255, 255]) - 4.48) < 0.01);
});

test("text on every block is legible in both schemes", () => {
  const tints = [...assignTints(names(30)).values(), { hue: 0, chroma: 0 }];
  themes().forEach((theme, dark) => {
    for (const tint of tints) {
      for (const name of ["a", "b", "c", "d", "e"]) {
        const ratio = contrast(blockRGB(tint, name, dark === 1), theme["flame-text"]);
        assert.ok(ratio >= AA, `hue ${tint.hue} has contrast ${ratio}`);
      }
    }
  });
});

test("text on every surface is legible in both schemes", () => {
  const pairs = [
    ["text", "page"], ["text", "surface"], ["text", "raised"], ["text", "accent-soft"],
    ["muted", "page"], ["muted", "surface"], ["muted", "raised"], ["muted", "accent-soft"],
    ["accent", "surface"], ["accent", "page"], ["error", "surface"], ["error", "accent-soft"], ["error", "raised"],
    ["warning", "warning-soft"], ["flame-text", "flame-rest"],
  ];
  assert.equal(themes().length, 2);
  for (const theme of themes()) {
    for (const [front, back] of pairs) {
      const ratio = contrast(theme[front], theme[back]);
      assert.ok(ratio >= AA, `${front} on ${back} has contrast ${ratio}`);
    }
  }
});

test("tracks differ in colour and keep it in any order", () => {
  const tints = assignTints(names(24));
  assert.equal(new Set([...tints.values()].map((tint) => `${tint.hue} ${tint.chroma}`)).size, 24);
  assert.deepEqual(assignTints(names(24).reverse()), tints);
  assert.equal(assignTints(names(1000)).size, 1000);
  const alone = assignTints(["otelhttp"]).get("otelhttp");
  assert.deepEqual(assignTints(["otelhttp", "zzz"]).get("otelhttp"), alone);
});

test("hashText is FNV-1a", () => {
  assert.equal(hashText(""), 0x811c9dc5);
  assert.equal(hashText("foobar"), 0xbf9cf968);
});
