interface Props {
  /** Oldest first. */
  values: number[];
  /** Said to who does not see it: what it shows, from where to where. */
  label: string;
  colour?: string;
}

const WIDTH = 120;
const HEIGHT = 28;

/** A line without axes, from zero to the greatest value. */
export function Sparkline({ values, label, colour = "text-series-1" }: Props) {
  const most = Math.max(...values, 0) || 1;
  const step = WIDTH / Math.max(values.length - 1, 1);
  const points = values.map(
    (value, at) =>
      `${(at * step).toFixed(1)},${(HEIGHT - 1.5 - (value / most) * (HEIGHT - 3)).toFixed(1)}`,
  );
  return (
    <svg
      className={`block h-7 w-28 ${colour}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {values.length > 1 && (
        <>
          <polygon
            points={`0,${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`}
            fill="currentColor"
            opacity="0.15"
          />
          <polyline
            points={points.join(" ")}
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
            vectorEffect="non-scaling-stroke"
          />
        </>
      )}
    </svg>
  );
}
