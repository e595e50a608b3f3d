const COLOURS = 6;

/** Each service's place among the theme's colours, 1 to 6, by its first span. */
export function coloursOf(services: string[]): Map<string, number> {
  return new Map(services.map((service, at) => [service, (at % COLOURS) + 1]));
}
