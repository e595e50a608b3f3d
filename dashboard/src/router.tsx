import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { Failed, NotFound } from "./components";
import { Layout } from "./layout";
import { Pending } from "./layout/pending";
import { PAGES } from "./pages";
import { patiently } from "./patiently";

const root = createRootRoute({ component: Layout, notFoundComponent: NotFound });

const pages = PAGES.map(({ path, load }) =>
  createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(() => patiently(load)),
  }),
);

/** Client-side routes: the server gives index.html for each of them. */
export const router = createRouter({
  routeTree: root.addChildren(pages),
  defaultPendingComponent: Pending,
  defaultErrorComponent: ({ error, reset }) => <Failed error={error} retry={reset} />,
  defaultPreload: "intent",
  scrollRestoration: true,
  // Plain text, not JSON: `?service=shop&attribute=a=1&attribute=b=2` is typed by hand, too.
  parseSearch,
  stringifySearch,
});

export function parseSearch(text: string): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const before = Object.hasOwn(found, name) ? found[name] : undefined;
    found[name] = before === undefined ? value : [before, value].flat();
  }
  return found;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}
