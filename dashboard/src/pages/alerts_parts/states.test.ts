import { describe, expect, it } from "vitest";
import type { Alert } from "../../api/types";
import { counted, otherLabels, serviceOf } from "./states";

const alert = (more: Partial<Alert>): Alert => ({
  name: "HighErrorRate",
  severity: "critical",
  state: "firing",
  since_ns: 0,
  summary: "",
  runbook_url: "",
  labels: { alertname: "HighErrorRate", severity: "critical", job: "shop" },
  ...more,
});

describe("alerts", () => {
  it("are counted by state", () => {
    const rows = [alert({}), alert({ state: "pending" })];
    expect([counted(rows, ""), counted(rows, "firing"), counted(rows, "suppressed")]).toEqual([
      2, 1, 0,
    ]);
  });

  it("show the labels that nothing else says, and the service that one names", () => {
    expect(otherLabels(alert({}))).toEqual([["job", "shop"]]);
    expect(serviceOf(alert({}))).toBe("shop");
    expect(serviceOf(alert({ labels: { service_name: "stock", job: "shop" } }))).toBe("stock");
    expect(serviceOf(alert({ labels: {} }))).toBe("");
  });
});
