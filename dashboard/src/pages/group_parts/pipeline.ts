import type { GroupLayout } from "./layout";

export const PIPELINE: GroupLayout = {
  group: "Pipeline",
  first: [],
  sections: [
    {
      title: "Made and sent by the services",
      charts: [
        { family: "otel.sdk.span.started", by: "service" },
        { family: "otel.sdk.log.created", by: "service" },
        { family: "clarity.pipeline.batches_sent" },
      ],
    },
    {
      title: "Queues and losses",
      charts: [
        { family: "clarity.pipeline.queue.utilization" },
        { family: "clarity.pipeline.queue.usage" },
        { family: "clarity.pipeline.dropped", by: "reason" },
        { family: "clarity.pipeline.retries" },
        { family: "clarity.pipeline.spooled" },
      ],
    },
    {
      title: "Care",
      charts: [
        { family: "clarity.masked" },
        { family: "clarity.internal_errors" },
        { family: "clarity.patches.taken_back", by: "patch" },
        { family: "clarity.guard.cost_ratio" },
        { family: "clarity.guard.level" },
        { family: "clarity.metrics.label_overflows", by: "metric" },
      ],
    },
  ],
};
