import assert from "node:assert/strict";
import test from "node:test";
import * as format from "../format.js";

/** Makes the narrow no-break spaces plain, so that the cases below can be read. */
const plain = (text) => text.replaceAll("\u202f", " ");

function cases(name, f, pairs) {
  test(name, () => {
    for (const [input, want] of pairs) assert.equal(plain(f(...[input].flat())), want, `${name}(${input})`);
  });
}

cases("formatDuration", format.formatDuration, [
  [0, "0 ns"], [1, "1 ns"], [1.5, "1.50 ns"], [999, "999 ns"], [999.6, "1.00 µs"], [1000, "1.00 µs"], [12_345, "12.3 µs"],
  [999_499, "999 µs"], [999_500, "1.00 ms"], [1.5e6, "1.50 ms"], [99.96e6, "100 ms"], [1e9, "1.00 s"], [59.9e9, "59.9 s"],
  [125e9, "125 s"], [999.6e9, "16 min 40 s"], [3599.6e9, "1 h"], [5025e9, "1 h 24 min"],
  [86_400e9, "1 d"], [90_000e9, "1 d 1 h"], [2 ** 64, "213 504 d"],
]);
cases("formatTick", format.formatTick, [[1, "1 ns"], [2e3, "2 µs"], [5e8, "500 ms"], [1e9, "1 s"], [1e12, "1 000 s"]]);
cases("formatCount", format.formatCount, [[0, "0"], [999, "999"], [1000, "1 000"], [1234567, "1 234 567"]]);
cases("formatNanoseconds", format.formatNanoseconds, [[1234567, "1 234 567 ns"]]);
cases("formatRate", format.formatRate, [
  [[0, 1e9], "0/s"], [[5, 1e9], "5.00/s"], [[1, 3600e9], "1.00/h"], [[123456, 1e9], "123 456/s"], [[5, 0], "–"], [[5, -1], "–"],
]);
cases("formatPercent", format.formatPercent, [
  [0, "0 %"], [0.0001, "<0.1 %"], [0.005, "0.5 %"], [0.1234, "12.3 %"], [0.9999, "100 %"], [1, "100 %"], [2.5, "250 %"],
]);
cases("formatBytes", format.formatBytes, [[0, "0 B"], [1023, "1023 B"], [1024, "1.00 KiB"], [1.5 * 2 ** 20, "1.50 MiB"], [2 ** 70, "1024 EiB"]]);
cases("formatTime", format.formatTime, [["2026-05-04T12:30:05.123Z", "2026-05-04 12:30:05 UTC"], ["", ""], ["+292277-01-01", ""]]);
cases("shortPath", format.shortPath, [
  [["/src/shop/cart/cart.go:12", 18], "…/cart/cart.go:12"], [["cart.go:12", 5], "cart.go:12"], [["a/b", 18], "a/b"],
  [["github.com/XSAM/otelsql", 16], "…/XSAM/otelsql"], [["/a/very_long_name_of_a_file.go", 10], "…/very_long_name_of_a_file.go"], [["", 3], ""],
]);
cases("cutText", format.cutText, [[["abc", 3], "abc"], [["abcd", 3], "abc…"], [["ab😀d", 3], "ab…"], [["ab😀d", 4], "ab😀…"]]);

test("a longer duration never shows as a shorter one", () => {
  const units = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, min: 60e9, h: 3600e9, d: 86400e9 };
  const value = (text) =>
    plain(text).replace(/(?<=\d) (?=\d{3}\b)/g, "").match(/[\d.]+ \S+/g).reduce((sum, part) => {
      const [number, unit] = part.split(" ");
      return sum + Number(number) * units[unit];
    }, 0);
  let before = 0;
  for (let ns = 1; ns < 2e18; ns = Math.ceil(ns * 1.003)) {
    const shown = value(format.formatDuration(ns));
    assert.ok(shown >= before, `${ns} ns shows as ${format.formatDuration(ns)}`);
    assert.ok(Math.abs(shown - ns) / ns < 0.03, `${ns} ns shows as ${format.formatDuration(ns)}`);
    before = shown;
  }
});
