import { useMemo, useState } from "react";

/** Whether the pointer is over an element, and what that element needs: what is read holds still. */
export function useOver() {
  const [isOver, setOver] = useState(false);
  const handlers = useMemo(
    () => ({ onPointerEnter: () => setOver(true), onPointerLeave: () => setOver(false) }),
    [],
  );
  return [isOver, handlers] as const;
}
