import assert from "node:assert/strict";
import test from "node:test";
import { sortedRows } from "../table.js";

const rows = [{ n: 2, s: "b10" }, { n: 1, s: "b9" }, { n: 2, s: "a" }, { n: 3, s: "B9" }];
const number = { value: (row) => row.n };
const text = { value: (row) => row.s };
const all = () => true;

test("rows are sorted by number or as a person sorts text, equal ones stay in order", () => {
  assert.deepEqual(sortedRows(rows, all, number, false), [1, 0, 2, 3]);
  assert.deepEqual(sortedRows(rows, all, number, true), [3, 0, 2, 1]);
  assert.deepEqual(sortedRows(rows, all, text, false), [2, 1, 3, 0]);
});

test("only what passes is listed", () => {
  assert.deepEqual(sortedRows(rows, (row) => row.n === 2, text, false), [2, 0]);
  assert.deepEqual(sortedRows([], all, text, false), []);
});
