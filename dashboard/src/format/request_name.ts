/** What a request is called: without a route its span's name is but the method. */
export function requestName(name: string, path: string): string {
  return name.includes(path) ? name : `${name} ${path}`;
}
