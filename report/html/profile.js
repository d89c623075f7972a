// The data of the page: what html.go embedded, with lookups and sums added.

import { hashText } from "./color.js";

/** Stands in the tree above the spans that have no settled place in it yet. It is no block. */
const PENDING = {
  index: -1, key: 0, service: "", track: "", name: "(pending)", kind: "", location: "", text: "(pending)", nodes: [],
};

/** Reads the profile that is embedded in the document. */
function readProfile(document) {
  return prepareProfile(JSON.parse(document.getElementById("profile").textContent));
}

/**
 * Adds to the embedded data what the views need. To blocks: index, a text to search in, a key that stays the same while
 * the profile grows, and the nodes of the tree that are theirs. To the profile: siteOf(node), keys of nodes, tracks and
 * sums.
 */
function prepareProfile(data) {
  const blocks = data.blocks.map((block, index) => ({
    ...block, index,
    key: hashText([...(block.service ? [block.service] : []), block.track, block.name, block.kind, block.location].join("\0")),
    text: [block.service ?? "", block.track, block.name, block.kind, block.location, block.function].join("\n").toLowerCase(),
    nodes: [],
  }));
  const { parent, block } = data.nodes;
  const siteOf = (node) => blocks[block[node]] ?? PENDING;
  const nodeKeys = [];
  for (let i = 0; i < parent.length; i++) {
    const site = siteOf(i);
    nodeKeys.push(hashText(String(site.key), parent[i] < 0 ? undefined : nodeKeys[parent[i]]));
    if (site !== PENDING) site.nodes.push(i);
  }
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const most = (values) => values.reduce((max, value) => Math.max(max, value), 0);
  return {
    ...data, blocks, siteOf, nodeKeys,
    tracks: trackTotals(blocks),
    self: sum(blocks.map((b) => b.self)),
    errors: sum(blocks.map((b) => b.errors)),
    services: blocks.some((b) => b.service),
    critical: sum(blocks.map((b) => b.critical ?? 0)),
    mostTotal: most(blocks.map((b) => b.total)),
    mostSelf: most(blocks.map((b) => b.self)),
  };
}

/** Returns the tracks with the sum of their blocks' self time, the busiest first. */
function trackTotals(blocks) {
  const self = new Map();
  for (const block of blocks) self.set(block.track, (self.get(block.track) ?? 0) + block.self);
  return [...self].map(([name, time]) => ({ name, self: time })).sort((a, b) => b.self - a.self);
}

/**
 * Returns a test for blocks: every word of the query must occur in the block's service, track, name, kind or location, in
 * any case, and the track must be the given one unless that is empty. Returns null when every block passes.
 */
function blockFilter(query, track) {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0 && track === "") return null;
  return (block) => (track === "" || block.track === track) && words.every((word) => block.text.includes(word));
}

export { blockFilter, prepareProfile, readProfile };
