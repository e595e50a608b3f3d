import { setTheme, type Theme, useTheme } from "../theme";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const MARKS: Record<Theme, string> = { system: "◐", light: "☀", dark: "☾" };

/** As the system has it, light, dark: in turn. */
export function ThemeToggle() {
  const theme = useTheme();
  return (
    <button
      type="button"
      className="control"
      aria-label={`Colours: ${theme}. Change to ${NEXT[theme]}`}
      title={`Colours: ${theme}`}
      onClick={() => setTheme(NEXT[theme])}
    >
      <span aria-hidden="true">{MARKS[theme]}</span>
    </button>
  );
}
