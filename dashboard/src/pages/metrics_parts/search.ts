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

/**
 * Names of attributes that lines can differ in: those of the catalog that came, and others of
 * theirs. `service` comes last.
 */
export function splits(name: string, attributes: Record<string, unknown>[]): string[] {
  const seen = new Set(attributes.flatMap((one) => Object.keys(one)));
  for (const label of FAMILIES.get(name)?.labels ?? []) seen.add(label);
  seen.delete("__other__");
  seen.delete("service");
  return [...[...seen].sort(), "service"];
}
