interface Props {
  label: string;
  /** Says what is looked through. */
  placeholder: string;
  value: string;
  change: (text: string) => void;
}

/** A text to look for: a whole line on a phone, else as wide as its place lets it be. */
export function SearchField({ label, placeholder, value, change }: Props) {
  return (
    <label className="flex min-w-0 grow basis-48 items-center gap-2 sm:max-w-96">
      <span className="text-faint">{label}</span>
      <input
        type="search"
        className="control min-w-0 grow"
        placeholder={placeholder}
        value={value}
        onChange={({ target }) => change(target.value)}
      />
    </label>
  );
}
