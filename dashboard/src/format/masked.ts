export interface Part {
  text: string;
  /** The rule that took the value's place; undefined: text as it was. */
  rule?: string;
}

/** What the masker writes: `[masked:rule]`, `[masked:rule:hash]` or `[masking failed]`. */
const MARK = /\[masked:([a-z0-9_]{1,64}(?::[0-9a-f]{12})?)\]|\[masking failed\]/g;

/** Text in parts, masked values apart. */
export function masked(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const found of text.matchAll(MARK)) {
    if (found.index > end) parts.push({ text: text.slice(end, found.index) });
    parts.push({ text: found[0], rule: found[1] ?? "failed" });
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}
