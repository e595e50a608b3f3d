interface Props {
  label: string;
  value: string;
  /** A value, or a value and what is shown for it. */
  options: (string | [string, string])[];
  choose: (value: string) => void;
}

export function Choice({ label, value, options, choose }: Props) {
  return (
    <label className="flex min-w-0 items-center gap-2">
      <span className="whitespace-nowrap text-faint">{label}</span>
      <select
        className="control min-w-0 max-w-56"
        value={value}
        onChange={(event) => choose(event.target.value)}
      >
        {options.map((option) => {
          const [own, shown] = typeof option === "string" ? [option, option] : option;
          return (
            <option key={own} value={own}>
              {shown}
            </option>
          );
        })}
      </select>
    </label>
  );
}
