import type { GroupLayout } from "./layout";

export const BUSINESS: GroupLayout = {
  group: "Business",
  first: [
    {
      title: "Active users, 5 minutes",
      family: "clarity.active_users",
      by: "window",
      only: ["5m"],
      join: "max",
    },
    {
      title: "Active users, 24 hours",
      family: "clarity.active_users",
      by: "window",
      only: ["24h"],
      join: "max",
    },
    { title: "Open sessions", family: "clarity.sessions.active" },
    { title: "Data points", family: "clarity.health_data.points" },
    { title: "Insights", family: "clarity.insights.generated", isTotal: true },
    {
      title: "Least insight accuracy",
      family: "clarity.insights.accuracy",
      by: "insight_type",
      join: "min",
    },
  ],
  sections: [
    {
      title: "Users",
      charts: [
        { family: "clarity.active_users" },
        { family: "clarity.sessions.active" },
        { family: "clarity.sessions" },
        { family: "clarity.session.duration" },
      ],
    },
    {
      title: "Health data",
      charts: [
        { family: "clarity.health_data.points", by: "data_type" },
        { family: "clarity.data_processing.duration", by: "stage" },
      ],
    },
    {
      title: "Insights",
      charts: [
        { family: "clarity.insights.generated", by: "insight_type" },
        { family: "clarity.insights.generated", by: "confidence_level" },
        { family: "clarity.insights.accuracy" },
      ],
    },
  ],
};
