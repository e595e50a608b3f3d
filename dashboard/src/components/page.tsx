import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Search, useSearchText } from "../api";

/** What goes along from page to page. */
const KEPT = ["range", "start", "end"];

interface PageLinkProps {
  to: string;
  search?: Search;
  className?: string;
  children: ReactNode;
}

/** A link to another page of ours: the time range goes along. */
export function PageLink({ to, search = {}, ...rest }: PageLinkProps) {
  const now = useSearchText();
  const kept = Object.fromEntries(KEPT.map((name) => [name, now[name]]));
  return (
    <Link
      to={to as string}
      search={{ ...kept, ...search } as never}
      activeOptions={{ exact: to === "/", includeSearch: false }}
      {...rest}
    />
  );
}

interface TraceLinkProps {
  id: string;
  /** The span that is opened. */
  span?: string;
  children?: ReactNode;
}

export function TraceLink({ id, span, children }: TraceLinkProps) {
  return (
    <PageLink to={`/traces/${id}`} search={{ span }}>
      {children ?? <code>{id.slice(0, 8)}</code>}
    </PageLink>
  );
}

/** A titled part of a page. */
export function Panel({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="panel">
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-x-4">
        <h2 className="font-semibold text-base">{title}</h2>
        {aside && <div className="text-faint">{aside}</div>}
      </div>
      {children}
    </section>
  );
}
