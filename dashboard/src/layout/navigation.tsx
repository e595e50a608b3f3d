import { useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { PageLink } from "../components";
import { GROUPS, PAGES } from "../pages";

interface Props {
  /** On narrow screens alone; elsewhere it is always there. */
  isOpen: boolean;
  setOpen: (isOpen: boolean) => void;
}

export function Navigation({ isOpen, setOpen }: Props) {
  const { pathname } = useLocation();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another page was opened
  useEffect(() => setOpen(false), [pathname, setOpen]);

  useEffect(() => {
    if (!isOpen) return;
    const closing = ({ key }: KeyboardEvent) => {
      if (key === "Escape") setOpen(false);
    };
    document.addEventListener("keydown", closing);
    return () => document.removeEventListener("keydown", closing);
  }, [isOpen, setOpen]);

  return (
    <nav
      id="navigation"
      aria-label="Pages"
      className={`${isOpen ? "block" : "hidden"} border-line border-b bg-panel p-3 md:sticky md:top-0 md:block md:h-dvh md:overflow-y-auto md:border-r md:border-b-0`}
    >
      <p className="mb-3 hidden px-2 font-semibold md:block">Clarity OTel</p>
      <div className="grid grid-cols-2 gap-3 md:block md:space-y-4">
        {GROUPS.map((group) => (
          <div key={group}>
            <h2 className="px-2 text-faint text-xs" id={`group-${group}`}>
              {group}
            </h2>
            <ul aria-labelledby={`group-${group}`}>
              {PAGES.filter((page) => page.group === group).map(({ path, title }) => (
                <li key={path}>
                  <PageLink
                    to={path}
                    className="block rounded-md px-2 py-1.5 text-ink no-underline hover:bg-raised aria-[current=page]:bg-raised aria-[current=page]:font-semibold"
                  >
                    {title}
                  </PageLink>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </div>
    </nav>
  );
}
