import type { KeyboardEvent } from "react";
import { count } from "../../format";
import type { Tree } from "./tree";

interface Props {
  tree: Tree;
  found: number[];
  text: string;
  setText: (text: string) => void;
  selected: number;
  reach: (node: number) => void;
  setClosed: (closed: ReadonlySet<number>) => void;
  logs: number;
  shown: {
    withLogs: boolean;
    setWithLogs: (with_: boolean) => void;
    withPath: boolean;
    setWithPath: (with_: boolean) => void;
  };
}

/** The search within the trace, and what of it is shown. */
export function Tools(props: Props) {
  const { tree, found, text, setText, selected, reach, setClosed, logs, shown } = props;
  const errors = tree.nodes.flatMap(({ isError }, at) => (isError ? [at] : []));
  const step = (among: number[], forward: boolean) => {
    const next = forward
      ? (among.find((at) => at > selected) ?? among[0])
      : (among.findLast((at) => at < selected) ?? among.at(-1));
    if (next !== undefined) reach(next);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    step(found, !event.shiftKey);
  };
  const closeAll = () =>
    setClosed(new Set(tree.nodes.flatMap(({ children }, at) => (children.length > 0 ? [at] : []))));
  return (
    <div className="mb-2 flex flex-wrap items-center gap-x-3 gap-y-2">
      <input
        type="search"
        className="control min-w-0 grow basis-48"
        placeholder="Find in the trace"
        aria-label="Find in the trace"
        aria-keyshortcuts="Enter Shift+Enter"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={pressed}
      />
      <span role="status" className="text-faint empty:sr-only">
        {text.trim() && `${count(found.length)} found`}
      </span>
      {found.length > 0 && (
        <span className="flex gap-1">
          <button
            type="button"
            className="control"
            aria-label="Previous"
            onClick={() => step(found, false)}
          >
            ↑
          </button>
          <button
            type="button"
            className="control"
            aria-label="Next"
            onClick={() => step(found, true)}
          >
            ↓
          </button>
        </span>
      )}
      {errors.length > 0 && (
        <button type="button" className="control" onClick={() => step(errors, true)}>
          Next error
        </button>
      )}
      <button type="button" className="control" onClick={closeAll}>
        Collapse
      </button>
      <button type="button" className="control" onClick={() => setClosed(new Set())}>
        Expand
      </button>
      <Check label="Critical path" isOn={shown.withPath} set={shown.setWithPath} />
      {logs > 0 && <Check label="Logs" isOn={shown.withLogs} set={shown.setWithLogs} />}
    </div>
  );
}

function Check({ label, isOn, set }: { label: string; isOn: boolean; set: (on: boolean) => void }) {
  return (
    <label className="flex min-h-9 items-center gap-1.5">
      <input type="checkbox" checked={isOn} onChange={(event) => set(event.target.checked)} />
      {label}
    </label>
  );
}
