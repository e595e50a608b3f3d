import { useCallback, useState } from "react";
import { type Pipeline as Counts, useApi } from "../api";
import { Answer, Empty, Panel } from "../components";
import { type Delta, useLive } from "../live";
import { GroupPage } from "./group_parts/group_page";
import { PIPELINE } from "./group_parts/pipeline";
import { Engines } from "./pipeline_parts/engines";
import { noted, type Sample } from "./pipeline_parts/rates";
import { Receiver } from "./pipeline_parts/receiver";
import { Telemetry } from "./pipeline_parts/telemetry";

const WANTED = { topics: ["pipeline" as const] };

/** What the telemetry itself costs: in the services that send it, and here where it is kept. */
export default function Pipeline() {
  const pipeline = useApi("/pipeline");
  const [pushed, setPushed] = useState<Counts>();
  const [samples, setSamples] = useState<Sample[]>([]);
  const hear = useCallback(({ pipeline: counts }: Delta) => {
    if (!counts) return;
    setPushed(counts);
    setSamples((known) => noted(known, counts.items, Date.now() / 1000));
  }, []);
  useLive(WANTED, hear);
  return (
    <>
      <Answer query={pipeline}>
        {(answer) => (
          <>
            {answer.engines ? (
              <Panel title="Read from" aside="nothing is received here">
                <Engines engines={answer.engines} />
              </Panel>
            ) : (
              <Panel title="This receiver" aside="live, counted since it started">
                <Receiver counts={{ ...answer, ...pushed }} samples={samples} />
              </Panel>
            )}
            <Panel title="What services tell of their telemetry" aside="in the chosen time">
              {answer.telemetry?.length ? (
                <Telemetry rows={answer.telemetry} />
              ) : (
                <Empty
                  what="No service told of its telemetry in this time"
                  fill={
                    <>
                      The engine of a service under <code>clarity-instrument</code> counts its
                      spans, losses, queues and masked values, and sends them as metrics.
                    </>
                  }
                />
              )}
            </Panel>
          </>
        )}
      </Answer>
      <GroupPage layout={PIPELINE} />
    </>
  );
}
