import type { Alert } from "../../api/types";

export const STATES = ["firing", "pending", "suppressed"] as const;

/** How many alerts are in a state; in any, where it is empty. */
export function counted(rows: Alert[], state: string): number {
  return state ? rows.filter((row) => row.state === state).length : rows.length;
}

/** Labels that an alert's row does not say already, by name. */
export function otherLabels({ labels }: Alert): [string, string][] {
  const said = new Set(["alertname", "severity"]);
  return Object.entries(labels)
    .filter(([name]) => !said.has(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** The service that an alert is about, by the labels that name one; empty where none does. */
export function serviceOf({ labels }: Alert): string {
  return labels.service_name || labels.service || labels.job || "";
}
