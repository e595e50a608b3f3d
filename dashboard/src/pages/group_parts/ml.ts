import type { GroupLayout } from "./layout";

export const ML: GroupLayout = {
  group: "ML",
  first: [
    { title: "Predictions", family: "clarity.ml.predictions" },
    {
      title: "Failed predictions",
      family: "clarity.ml.predictions",
      by: "status",
      share: ["error"],
    },
    {
      title: "Slowest model, p95",
      family: "clarity.ml.inference.duration",
      by: "model",
      join: "max",
    },
    { title: "Waiting", family: "clarity.ml.queue.size" },
    { title: "Least accuracy", family: "clarity.ml.model.accuracy", by: "model", join: "min" },
    { title: "Least health, 0 or 1", family: "clarity.ml.model.health", by: "model", join: "min" },
  ],
  sections: [
    {
      title: "Predictions",
      charts: [
        { family: "clarity.ml.predictions", by: "model" },
        { family: "clarity.ml.inference.duration", by: "model" },
        { family: "clarity.ml.active_inferences" },
        { family: "clarity.ml.queue.size" },
      ],
    },
    {
      title: "Models",
      charts: [
        { family: "clarity.ml.model.accuracy" },
        { family: "clarity.ml.model.health" },
        { family: "clarity.ml.model.load.duration" },
      ],
    },
    {
      title: "Cache",
      charts: [
        { family: "clarity.ml.cache.hit_ratio" },
        { family: "clarity.ml.cache.lookups", by: "result" },
      ],
    },
    {
      title: "PAT analysis",
      charts: [{ family: "clarity.pat.analysis.duration", by: "analysis_type" }],
    },
  ],
};
