import type { GroupLayout } from "./layout";

export const SYSTEM: GroupLayout = {
  group: "System",
  first: [
    { title: "CPU of the services", family: "process.cpu.utilization" },
    { title: "Memory of the services", family: "process.memory.usage" },
    {
      title: "Event loop lag, p99",
      family: "clarity.event_loop.lag",
      statistic: "p99",
      join: "max",
    },
    { title: "Machine's memory used", family: "system.memory.utilization", join: "max" },
    {
      title: "Fullest disk",
      family: "system.filesystem.utilization",
      by: "system.filesystem.mountpoint",
      join: "max",
    },
    { title: "Open files", family: "process.unix.file_descriptor.count" },
  ],
  sections: [
    {
      title: "Processes",
      charts: [
        { family: "process.cpu.utilization", by: "service" },
        { family: "process.memory.usage", by: "service" },
        { family: "process.thread.count", by: "service" },
        { family: "process.unix.file_descriptor.count", by: "service" },
        { family: "process.context_switches" },
        { family: "process.disk.io" },
      ],
    },
    {
      title: "Python",
      charts: [
        { family: "clarity.event_loop.lag", by: "service" },
        { family: "clarity.event_loop.tasks", by: "service" },
        { family: "clarity.cpython.gc.duration" },
        { family: "cpython.gc.collections" },
        { family: "clarity.thread_pool.threads" },
        { family: "clarity.thread_pool.queue.size" },
      ],
    },
    {
      title: "Machine",
      charts: [
        { family: "system.cpu.utilization" },
        { family: "system.memory.usage" },
        { family: "system.filesystem.utilization" },
        { family: "system.disk.io" },
        { family: "system.network.io" },
        { family: "system.network.errors" },
      ],
    },
    {
      title: "Container",
      charts: [
        { family: "container.cpu.time", by: "service" },
        { family: "clarity.container.cpu.throttled", by: "service" },
        { family: "container.memory.usage", by: "service" },
        { family: "clarity.container.memory.limit", by: "service" },
        { family: "clarity.container.cpu.limit", by: "service" },
        { family: "clarity.container.oom_kills", by: "service" },
      ],
    },
  ],
};
