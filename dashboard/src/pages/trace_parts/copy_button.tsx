import { useState } from "react";

/** Copies a text; says so, or shows it to be copied by hand where the browser refuses. */
export function CopyButton({ label, text }: { label: string; text: () => string }) {
  const [state, setState] = useState<"" | "copied" | "refused">("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setState("copied");
    } catch {
      // Only on https and on this machine's own addresses there is a clipboard.
      setState("refused");
    }
  };
  return (
    <>
      <button type="button" className="control" onClick={() => void copy()}>
        {label}
      </button>
      <span
        role="status"
        className={state === "refused" ? "basis-full" : "self-center text-good empty:sr-only"}
      >
        {state === "copied" && "Copied"}
        {state === "refused" && (
          <textarea
            readOnly
            className="control w-full font-mono text-xs"
            aria-label={`${label}: the text to copy`}
            rows={3}
            value={text()}
            onFocus={(event) => event.target.select()}
          />
        )}
      </span>
    </>
  );
}
