import { duration, type Health, type Level, levelOf, localTime, masked, utcTime } from "../format";

interface TimeProps {
  ns: number;
  /** How its place says it, such as `tickTime`; unset, in full. */
  children?: string;
}

/** A moment: local zone, UTC on hover (and in the markup). */
export function Time({ ns, children }: TimeProps) {
  const moment = new Date(ns / 1e6).toISOString();
  return (
    <time dateTime={moment} title={utcTime(ns)} className="whitespace-nowrap">
      {children ?? localTime(ns)}
    </time>
  );
}

export function Duration({ ms }: { ms: number | null | undefined }) {
  const exact = typeof ms === "number" ? `${ms} ms` : undefined;
  return (
    <span className="whitespace-nowrap tabular-nums" title={exact}>
      {duration(ms)}
    </span>
  );
}

const LEVEL_COLOURS: Record<Level, string> = {
  TRACE: "text-faint",
  DEBUG: "text-faint",
  INFO: "text-accent",
  WARN: "text-warn",
  ERROR: "text-bad",
  FATAL: "text-bad font-bold",
};

/** A log record's level, by OTLP's number, or as the sender wrote it. */
export function Severity({ number, text = "" }: { number: number; text?: string }) {
  const level = levelOf(number);
  return (
    <span className={`font-medium ${level ? LEVEL_COLOURS[level] : "text-faint"}`} title={text}>
      {level ?? (text || "unset")}
    </span>
  );
}

/** Text from outside, as text; where a value was masked, that is marked with the rule's name. */
export function MaskedText({ text }: { text: string }) {
  return masked(text).map((part, position) =>
    part.rule === undefined ? (
      part.text
    ) : (
      <mark
        // The parts of a text never change places.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        key={position}
        className="rounded bg-raised px-1 font-mono text-[0.9em] text-warn"
        title={
          part.rule === "failed"
            ? "Masking failed here, so nothing is shown"
            : `Masked by the rule "${part.rule}" before it was stored`
        }
      >
        {part.text}
      </mark>
    ),
  );
}

/** A sentence of the server's: what stands between backticks is shown as code. */
export function Sentence({ text }: { text: string }) {
  return text.split("`").map((part, position) =>
    // The parts of a text never change places.
    // biome-ignore lint/suspicious/noArrayIndexKey: see above
    position % 2 === 0 ? part : <code key={position}>{part}</code>,
  );
}

const HEALTH_COLOURS: Record<Health, string> = {
  healthy: "text-good",
  degraded: "text-warn",
  failing: "text-bad",
};
const HEALTH_MARKS: Record<Health, string> = { healthy: "●", degraded: "▲", failing: "■" };

/** By shape and word, not by colour alone; `isShort`: the word is for screen readers. */
export function HealthMark({ health, isShort = false }: { health: Health; isShort?: boolean }) {
  return (
    <span className={`whitespace-nowrap font-medium ${HEALTH_COLOURS[health]}`} title={health}>
      <span aria-hidden="true">{HEALTH_MARKS[health]}</span>{" "}
      <span className={isShort ? "sr-only" : ""}>{health}</span>
    </span>
  );
}

/** An HTTP status, 0 where there is none. */
export function HttpStatus({ status, isError }: { status: number; isError: boolean }) {
  const text = status > 0 ? String(status) : isError ? "error" : "ok";
  return <span className={`tabular-nums ${isError ? "font-medium text-bad" : ""}`}>{text}</span>;
}
