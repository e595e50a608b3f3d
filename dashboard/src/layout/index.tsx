import { Outlet, useLocation } from "@tanstack/react-router";
import { useLayoutEffect, useState } from "react";
import { WITHOUT_TOKEN } from "../api";
import { Sentence } from "../components";
import { useConnection, useLive } from "../live";
import { PAGES } from "../pages";
import { ConnectionState } from "./connection";
import { Navigation } from "./navigation";
import { RangePicker } from "./range_picker";
import { ThemeToggle } from "./theme_toggle";

const NOTHING = { topics: [] };

/** What stands around every page. */
export function Layout() {
  const { pathname } = useLocation();
  const [isOpen, setOpen] = useState(false);
  const title = titleOf(pathname);
  const connection = useConnection();
  // Also on pages that read nothing live: the connection's state is told on all.
  useLive(NOTHING, () => {});

  // Before the page's own effects: a trace has a better title.
  useLayoutEffect(() => {
    document.title = `${title} · Clarity OTel`;
  }, [title]);

  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13rem_minmax(0,1fr)]">
      <a
        href="#content"
        className="sr-only z-30 bg-panel p-2 focus:not-sr-only focus:absolute focus:top-2 focus:left-2"
      >
        To the content
      </a>
      <Navigation isOpen={isOpen} setOpen={setOpen} />
      <div className="min-w-0">
        <header className="sticky top-0 z-20 flex flex-wrap items-center gap-x-3 gap-y-2 border-line border-b bg-page px-3 py-2 md:px-6">
          <button
            type="button"
            className="control md:hidden"
            aria-expanded={isOpen}
            aria-controls="navigation"
            onClick={() => setOpen(!isOpen)}
          >
            <span aria-hidden="true">☰</span> Menu
          </button>
          <h1 className="font-semibold text-lg">{title}</h1>
          <div className="ml-auto flex flex-wrap items-center justify-end gap-2">
            <ConnectionState />
            <RangePicker />
            <ThemeToggle />
          </div>
        </header>
        <main id="content" className="space-y-4 p-3 md:p-6">
          {connection === "refused" && (
            <p className="rounded-md border border-bad p-3" role="alert" data-state="refused">
              <Sentence text={WITHOUT_TOKEN} />
            </p>
          )}
          <Outlet />
        </main>
      </div>
    </div>
  );
}

function titleOf(pathname: string): string {
  const parts = pathname.replace(/(.)\/$/, "$1").split("/");
  const fits = (path: string): boolean => {
    const wanted = path.split("/");
    return (
      wanted.length === parts.length &&
      wanted.every((part, at) => part.startsWith("$") || part === parts[at])
    );
  };
  return PAGES.find(({ path }) => fits(path))?.title ?? "Not found";
}
