import type { Parameters, Search } from "../../api";

/** What is searched, as it stands in the address. */
export interface Filters {
  service: string;
  route: string;
  text: string;
  /** Milliseconds, as text; empty: no bound. */
  least: string;
  most: string;
  status: string;
  correlation: string;
  errors: boolean;
  /** Each `name=value`. */
  attributes: string[];
}

export const CORRELATION = "correlation.id";
const UNITS_MS: Record<string, number> = {
  "": 1,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  min: 6e4,
};

export function filtersOf(search: Search): Filters {
  const one = (name: string) => [search[name] ?? ""].flat()[0] ?? "";
  return {
    service: one("service"),
    route: one("route"),
    text: one("text"),
    least: one("least"),
    most: one("most"),
    status: one("status"),
    correlation: one("correlation"),
    errors: one("errors") === "true",
    attributes: [search.attribute ?? []].flat().filter((pair) => /^[^=]+=./s.test(pair)),
  };
}

/** The search parameters that say so. */
export function searchOf({ errors, attributes, ...texts }: Filters): Search {
  return { ...texts, errors: errors ? "true" : undefined, attribute: attributes };
}

/** What the API is asked. */
export function parametersOf(filters: Filters): Parameters {
  const { service, route, text, status, errors, correlation } = filters;
  const about = correlation.trim() ? [`${CORRELATION}=${correlation.trim()}`] : [];
  return {
    service,
    route,
    text,
    status: /^\d{3}$/.test(status) ? status : "",
    errors: errors || undefined,
    least_ms: milliseconds(filters.least),
    most_ms: milliseconds(filters.most),
    attribute: [...filters.attributes, ...about],
  };
}

/** `250`, `250ms`, `1.5 s`, `80µs`, `2min` in milliseconds; undefined for what is none. */
export function milliseconds(text: string): number | undefined {
  const found = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zµ]*)\s*$/i.exec(text.replace(",", "."));
  const unit = UNITS_MS[found?.[2]?.toLowerCase() ?? "?"];
  const value = Number(found?.[1]) * (unit ?? Number.NaN);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

/** How many filters are set. */
export function setCount({ attributes, ...others }: Filters): number {
  return Object.values(others).filter(Boolean).length + attributes.length;
}
