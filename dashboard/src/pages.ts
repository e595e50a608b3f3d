import type { ComponentType } from "react";

/** A page: where it stands, what it is called, and its file, loaded when it is opened. */
export interface Page {
  /** TanStack Router's form: `$name` is a part that the page reads with `useParams({ strict: false })`. */
  path: string;
  title: string;
  /** The navigation's heading it stands below; without one it is reached by links alone. */
  group?: Group;
  load: () => Promise<{ default: ComponentType }>;
}

export const GROUPS = ["Services", "Signals", "Groups", "Operation"] as const;
export type Group = (typeof GROUPS)[number];

/** All pages. To add one: its file below src/pages, and a line here. */
export const PAGES: Page[] = [
  { path: "/", title: "Overview", group: "Services", load: () => import("./pages/overview") },
  {
    path: "/endpoints",
    title: "Endpoints",
    group: "Services",
    load: () => import("./pages/endpoints"),
  },
  { path: "/map", title: "Service map", group: "Services", load: () => import("./pages/map") },
  { path: "/traces", title: "Traces", group: "Signals", load: () => import("./pages/traces") },
  { path: "/traces/$traceId", title: "Trace", load: () => import("./pages/trace") },
  { path: "/errors", title: "Errors", group: "Signals", load: () => import("./pages/errors") },
  { path: "/logs", title: "Logs", group: "Signals", load: () => import("./pages/logs") },
  { path: "/metrics", title: "Metrics", group: "Signals", load: () => import("./pages/metrics") },
  { path: "/system", title: "System", group: "Groups", load: () => import("./pages/system") },
  { path: "/ml", title: "ML", group: "Groups", load: () => import("./pages/ml") },
  { path: "/security", title: "Security", group: "Groups", load: () => import("./pages/security") },
  { path: "/business", title: "Business", group: "Groups", load: () => import("./pages/business") },
  { path: "/alerts", title: "Alerts", group: "Operation", load: () => import("./pages/alerts") },
  {
    path: "/pipeline",
    title: "Pipeline",
    group: "Operation",
    load: () => import("./pages/pipeline"),
  },
];
