import type { GroupLayout } from "./layout";

export const SECURITY: GroupLayout = {
  group: "Security",
  first: [
    {
      title: "Failed attempts",
      family: "clarity.auth.attempts",
      by: "outcome",
      share: ["failure"],
    },
    { title: "Account lockouts", family: "clarity.auth.account_lockouts", isTotal: true },
    { title: "Suspicious activities", family: "clarity.suspicious_activities", isTotal: true },
    ...["401", "403", "429"].map((status) => ({
      title: `Answers ${status}`,
      family: "clarity.security.answers" as const,
      by: "http.response.status_code",
      only: [status],
      isTotal: true,
    })),
  ],
  sections: [
    {
      title: "Authentication",
      charts: [
        { family: "clarity.auth.attempts", by: "outcome" },
        { family: "clarity.auth.failures", by: "reason" },
        { family: "clarity.auth.account_lockouts" },
      ],
    },
    {
      title: "Refusals",
      charts: [
        { family: "clarity.security.answers", by: "http.response.status_code" },
        { family: "clarity.security.answers", by: "http.route" },
        { family: "clarity.rate_limit.hits" },
      ],
    },
    {
      title: "Suspicious",
      charts: [
        { family: "clarity.suspicious_activities", by: "severity" },
        { family: "clarity.suspicious_activities", by: "activity_type" },
      ],
    },
  ],
};
