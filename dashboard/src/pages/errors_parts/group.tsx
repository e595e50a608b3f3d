import { MaskedText, PageLink, Panel, Time, TraceLink } from "../../components";
import { count } from "../../format";
import type { ShownError } from "./arriving";

/** One group: its newest message and stack, as text, and where to go on. */
export function Group({ row, close }: { row: ShownError; close: () => void }) {
  return (
    <Panel
      title={row.type || "(no type)"}
      aside={
        <button type="button" className="control" onClick={close}>
          Close
        </button>
      }
    >
      <div data-testid="group" className="space-y-3">
        <p className="max-h-40 overflow-auto whitespace-pre-wrap break-words">
          <MaskedText text={row.message || "(no message)"} />
        </p>
        <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1 sm:grid-cols-[repeat(2,max-content_minmax(0,1fr))]">
          <dt className="text-faint">Service</dt>
          <dd className="truncate">
            <PageLink to="/endpoints" search={{ service: row.service }}>
              {row.service}
            </PageLink>
          </dd>
          <dt className="text-faint">In this time</dt>
          <dd>{count(row.count)}</dd>
          <dt className="text-faint">First seen</dt>
          <dd>
            <Time ns={row.first_ns} />
          </dd>
          <dt className="text-faint">Last seen</dt>
          <dd>
            <Time ns={row.last_ns} />
          </dd>
        </dl>
        <div>
          <h3 className="font-medium">Example traces</h3>
          {row.trace_ids.length > 0 ? (
            <ul className="flex flex-wrap gap-2 pt-1">
              {row.trace_ids.map((id) => (
                <li key={id} className="rounded-md border border-line px-2 py-1">
                  <TraceLink id={id} />
                </li>
              ))}
            </ul>
          ) : (
            <p className="text-faint">None is stored.</p>
          )}
        </div>
        <div>
          <h3 className="font-medium">Stack</h3>
          {row.stacktrace ? (
            <section aria-label="Stack" className="mt-1 max-h-96 overflow-auto" tabIndex={0}>
              <pre className="min-w-max rounded-md bg-raised p-3 font-mono text-xs leading-5">
                <MaskedText text={row.stacktrace} />
              </pre>
            </section>
          ) : (
            <p className="text-faint">
              {row.group.startsWith("live ")
                ? "It has just arrived; its stack comes with the next answer."
                : "The exception came without one."}
            </p>
          )}
        </div>
      </div>
    </Panel>
  );
}
