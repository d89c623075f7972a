import { middle, named, visible } from "./format";

/** A name as text, cut in the middle when it is long: then it shows in full under the pointer. */
export function Name(props: { of: string; most?: number }) {
  const full = named(props.of);
  const shown = middle(full, props.most);
  return <span title={shown === full ? undefined : visible(full.slice(0, 4000))}>{shown}</span>;
}
