import { useApi, useSearchParameter } from "../api";
import { Answer, Empty, Panel, Sentence } from "../components";
import { AlertList } from "./alerts_parts/list";
import { counted, STATES } from "./alerts_parts/states";

/** What fires now, as Alertmanager and Prometheus tell it. */
export default function Alerts() {
  const alerts = useApi("/alerts");
  const [state, setState] = useSearchParameter("state");
  return (
    <Answer query={alerts}>
      {({ configured, how, rows }) =>
        configured ? (
          <Panel
            title="Alerts"
            aside={
              <fieldset className="flex flex-wrap gap-2">
                <legend className="sr-only">Which alerts are shown</legend>
                {["", ...STATES].map((one) => (
                  <button
                    key={one}
                    type="button"
                    className="control aria-pressed:border-accent aria-pressed:text-accent"
                    aria-pressed={state === one}
                    onClick={() => setState(one)}
                  >
                    {one || "all"} {counted(rows, one)}
                  </button>
                ))}
              </fieldset>
            }
          >
            {how && (
              <p className="mb-3 text-warn" role="status" data-state="partial">
                <Sentence text={how} />
              </p>
            )}
            {(rows.length > 0 || !how) && (
              <AlertList rows={rows.filter((row) => !state || row.state === state)} state={state} />
            )}
          </Panel>
        ) : (
          <NotConfigured how={how} />
        )
      }
    </Answer>
  );
}

function NotConfigured({ how }: { how: string | undefined }) {
  return (
    <Panel title="Alerts">
      <Empty
        what="No alerts are asked for"
        fill={
          how ? (
            <Sentence text={how} />
          ) : (
            "Alerts are evaluated by Prometheus and routed by Alertmanager."
          )
        }
      />
      <p className="mt-3 text-faint">
        For example, where Alertmanager runs on this machine:{" "}
        <code className="break-all text-ink">
          clarity dashboard --alertmanager http://127.0.0.1:9093
        </code>
      </p>
    </Panel>
  );
}
