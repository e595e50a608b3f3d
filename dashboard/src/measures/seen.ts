import { type RefObject, useEffect, useRef, useState } from "react";

/** Whether an element has come near the window: what nobody has seen is not asked for. */
export function useIsSeen<Kind extends Element>(): [RefObject<Kind | null>, boolean] {
  const element = useRef<Kind>(null);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const watched = element.current;
    if (!watched) return;
    const watcher = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting ?? false), {
      rootMargin: "200px",
    });
    watcher.observe(watched);
    return () => watcher.disconnect();
  }, []);
  return [element, isSeen];
}
