import type { ReactNode } from "react";
import { type Answered, ApiError, UNREACHABLE } from "../api";
import { Sentence } from "./values";

/** A view without data: what is not there, and which instrumentation would fill it. */
export function Empty({ what, fill }: { what: ReactNode; fill: ReactNode }) {
  return (
    <div className="rounded-md border border-line border-dashed p-6 text-center" data-state="empty">
      <p className="font-medium">{what}</p>
      <p className="mx-auto mt-1 max-w-prose text-faint">{fill}</p>
    </div>
  );
}

export function Loading() {
  return (
    <p className="p-6 text-center text-faint" role="status" data-state="loading">
      Loading…
    </p>
  );
}

interface Failure {
  error: unknown;
  retry?: () => void;
}

/** A view that got no answer: nobody is there, or what went wrong. */
export function Failed({ error, retry }: Failure) {
  const isUnreachable = error instanceof ApiError && error.isUnreachable;
  if (isUnreachable) return <Disconnected {...(retry ? { retry } : {})} />;
  return (
    <Trouble state="error" title="This could not be shown" retry={retry}>
      <Sentence text={error instanceof Error ? error.message : String(error)} />
    </Trouble>
  );
}

export function Disconnected({ retry }: { retry?: () => void }) {
  return (
    <Trouble state="disconnected" title="Disconnected" retry={retry}>
      <Sentence text={UNREACHABLE} /> This page goes on by itself when it is back.
    </Trouble>
  );
}

interface TroubleProps {
  state: string;
  title: string;
  retry: (() => void) | undefined;
  children: ReactNode;
}

function Trouble({ state, title, retry, children }: TroubleProps) {
  return (
    <div className="rounded-md border border-bad p-6 text-center" role="alert" data-state={state}>
      <p className="font-medium text-bad">{title}</p>
      <p className="mx-auto mt-1 max-w-prose">{children}</p>
      {retry && (
        <button type="button" className="control mt-3" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface AnswerProps<Data> {
  query: Answered<Data>;
  /** What stands there where `isEmpty` says so; unset, an answer with no rows is empty. */
  empty?: ReactNode;
  isEmpty?: (data: Data) => boolean;
  children: (data: Data) => ReactNode;
}

/** The four states of a view around an answer. Old data stays, with a word, when a refresh fails. */
export function Answer<Data>({ query, empty, isEmpty = hasNoRows, children }: AnswerProps<Data>) {
  const { data, error, refetch } = query;
  if (data === undefined) {
    return error ? <Failed error={error} retry={() => void refetch()} /> : <Loading />;
  }
  return (
    <>
      {error && (
        <p className="mb-2 text-bad" role="status" data-state="stale">
          This is the last answer. <Sentence text={error.message} />
        </p>
      )}
      {empty && isEmpty(data) ? empty : children(data)}
    </>
  );
}

function hasNoRows(data: unknown): boolean {
  const rows = (data as { rows?: unknown } | null)?.rows;
  return Array.isArray(rows) && rows.length === 0;
}

export function NotFound() {
  return (
    <Empty what="There is no such page" fill="The navigation leads to those that there are." />
  );
}

export function NotBuilt() {
  return (
    <Empty
      what="This page is not built yet"
      fill="The API has its data: /api/openapi.json says how to ask for it."
    />
  );
}
