import { boundsBefore, useApi } from "../api";
import { Answer, Empty, Panel } from "../components";
import { Changes } from "./overview_parts/changes";
import { Feed } from "./overview_parts/feed";
import { Services } from "./overview_parts/services";

/** How all services are now, what is different from before, and requests as they come. */
export default function Overview() {
  const services = useApi("/services");
  const before = useApi("/services", {}, { bounds: boundsBefore });
  return (
    <>
      <Panel title="Services">
        <Answer query={services} empty={<NoServices />}>
          {({ rows }) => <Services rows={rows} />}
        </Answer>
      </Panel>
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
        <Panel title="What changed" aside="against the same time before">
          <Answer query={before}>
            {(old) => (
              <Answer query={services}>
                {(now) => <Changes now={now.rows} before={old.rows} />}
              </Answer>
            )}
          </Answer>
        </Panel>
        <Feed />
      </div>
    </>
  );
}

function NoServices() {
  return (
    <Empty
      what="No requests in this time"
      fill={
        <>
          Server spans fill this view: start a service with{" "}
          <code>clarity-instrument uvicorn app:app</code>, or send OTLP traces from any language to
          the address that <code>clarity dashboard</code> printed.
        </>
      }
    />
  );
}
