import { useEffect, useRef, useState } from "react";
import { useChangeSearch, useSearchParameter } from "../../api";
import { SearchField, ServicePicker } from "../../components";
import { LEVELS } from "../../format";

const TYPING_MS = 300;

/** Service, level, text and trace, as they stand in the address. */
export function Filters({ known }: { known: string[] }) {
  const [level, setLevel] = useSearchParameter("level");
  const [text] = useSearchParameter("text");
  const [trace_id, setTrace] = useSearchParameter("trace_id");
  const [typed, setTyped] = useState(text);
  const asked = useRef(text);
  const change = useChangeSearch();

  // What the address says anew, as on the browser's way back, is no typing of this field.
  useEffect(() => {
    if (text === asked.current) return;
    asked.current = text;
    setTyped(text);
  }, [text]);

  // Asked when typing rests.
  useEffect(() => {
    if (typed === asked.current) return;
    const timer = setTimeout(() => {
      asked.current = typed;
      change({ text: typed }, true);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, change]);

  return (
    <form
      className="flex flex-wrap items-center gap-x-4 gap-y-2"
      onSubmit={(event) => {
        event.preventDefault();
        asked.current = typed;
        change({ text: typed });
      }}
    >
      <ServicePicker known={known} />
      <label className="flex items-center gap-2">
        <span className="text-faint">Level from</span>
        <select className="control" value={level} onChange={({ target }) => setLevel(target.value)}>
          <option value="">any</option>
          {LEVELS.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <SearchField
        label="Text"
        placeholder="in the body or an attribute"
        value={typed}
        change={setTyped}
      />
      {trace_id && (
        <button type="button" className="control" onClick={() => setTrace("")}>
          Of trace <code>{trace_id.slice(0, 8)}</code> <span aria-hidden="true">×</span>
          <span className="sr-only">, show all</span>
        </button>
      )}
    </form>
  );
}
