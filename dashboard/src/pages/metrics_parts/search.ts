import type { MetricName } from "../../api/types";
import { FAMILIES } from "../../catalog";

/** The metrics of a service (all, where it is empty) that have each word somewhere. */
export function found(rows: MetricName[], text: string, service: string): MetricName[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (service && !row.services.includes(service)) return false;
    const family = FAMILIES.get(row.name);
    const said = `${row.name} ${row.unit} ${family?.group ?? ""} ${family?.help ?? ""}`;
    return words.every((word) => said.toLowerCase().includes(word));
  });
}

/** The one that is shown before any is chosen: how long requests take, where that is there. */
export function firstOf(shown: MetricName[]): string | undefined {
  const telling = shown.find(({ name }) => name === "http.server.request.duration");
  return (telling ?? shown[0])?.name;
}

/** What lines can be by: labels of the catalog, those that came, and the service last. */
export function splits(name: string, labels: string[]): string[] {
  const all = new Set([...labels, ...(FAMILIES.get(name)?.labels ?? [])]);
  all.delete("service");
  return [...[...all].sort(), "service"];
}
