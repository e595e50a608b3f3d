type Values = ArrayLike<number | null | undefined>;

// A line that has ended long ago does not hold back the others.
const LOOKED_AT = 5;

/**
 * The position that a legend tells while the pointer is elsewhere: of the last few moments the one
 * that most lines have a value at, of equals the newest. The newest alone may be of one line: of
 * two times that are compared, one has a minute more. -1 where there is no moment.
 */
export function newestOf(times: ArrayLike<number>, lines: Values[]): number {
  const last = times.length - 1;
  let best = last;
  let most = -1;
  for (let at = last; at >= 0 && at > last - LOOKED_AT; at--) {
    const told = lines.filter((values) => typeof values[at] === "number").length;
    if (told > most) [best, most] = [at, told];
  }
  return best;
}
