import { type FormEvent, type ReactNode, useState } from "react";
import { useApi } from "../../api";
import { type Filters, milliseconds, setCount } from "./filters";

interface Props {
  filters: Filters;
  set: (filters: Filters) => void;
}

const NONE: Filters = {
  service: "",
  route: "",
  text: "",
  least: "",
  most: "",
  status: "",
  correlation: "",
  errors: false,
  attributes: [],
};

/** What is searched: a form whose answers stand in the address once it is sent. */
export function Search({ filters, set }: Props) {
  const [name, setName] = useState("");
  const services = useApi("/services");
  const endpoints = useApi("/endpoints", { service: filters.service });
  const attributes = useApi("/attributes", { service: filters.service });
  const known = attributes.data?.rows ?? [];
  const values = known.find((row) => row.name === name)?.values ?? [];
  const routes = [...new Set((endpoints.data?.rows ?? []).map(({ route }) => route))].filter(
    Boolean,
  );
  const names = [
    ...new Set([filters.service, ...(services.data?.rows ?? []).map(({ service }) => service)]),
  ].filter(Boolean);

  const sent = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const text = (field: string) => String(data.get(field) ?? "").trim();
    for (const field of ["least", "most"]) {
      const input = form.elements.namedItem(field) as HTMLInputElement;
      const isWrong = input.value.trim() !== "" && milliseconds(input.value) === undefined;
      input.setCustomValidity(isWrong ? "A duration: 250ms, 1.5s, 80us." : "");
    }
    if (!form.reportValidity()) return;
    const [key, value] = [text("name"), text("value")];
    const pair = key && value ? [`${key}=${value}`] : [];
    set({
      service: text("service"),
      route: text("route"),
      text: text("text"),
      least: text("least"),
      most: text("most"),
      status: text("status"),
      correlation: text("correlation"),
      errors: data.has("errors"),
      attributes: [...new Set([...filters.attributes, ...pair])],
    });
    setName("");
  };

  return (
    <form className="panel" aria-label="Search traces" role="search" onSubmit={sent}>
      {/* Fields hold what the address says, also after a step back. */}
      <div key={JSON.stringify(filters)}>
        <div className="grid grid-cols-2 gap-x-3 gap-y-2 md:grid-cols-4">
          <Field id="search-service" label="Service">
            <select
              id="search-service"
              className="control w-full"
              name="service"
              defaultValue={filters.service}
            >
              <option value="">All</option>
              {names.map((service) => (
                <option key={service}>{service}</option>
              ))}
            </select>
          </Field>
          <Field id="search-route" label="Route">
            <input
              id="search-route"
              className="control w-full"
              name="route"
              list="routes"
              defaultValue={filters.route}
            />
            <datalist id="routes">
              {routes.map((route) => (
                <option key={route}>{route}</option>
              ))}
            </datalist>
          </Field>
          <Field id="search-text" label="Text in names and attributes" isWide>
            <input
              id="search-text"
              className="control w-full"
              name="text"
              defaultValue={filters.text}
            />
          </Field>
        </div>
        <details
          className="mt-2"
          open={setCount({ ...filters, service: "", route: "", text: "" }) > 0}
        >
          <summary className="py-1">More: status, duration, attributes, correlation id</summary>
          <div className="mt-1 grid grid-cols-2 gap-x-3 gap-y-2 md:grid-cols-4">
            <Field id="search-status" label="HTTP status">
              <input
                id="search-status"
                className="control w-full"
                name="status"
                inputMode="numeric"
                pattern="[1-5][0-9]{2}"
                title="Three digits, as 404"
                defaultValue={filters.status}
              />
            </Field>
            <div className="flex items-end gap-2">
              <Field id="search-least" label="At least">
                <input
                  id="search-least"
                  className="control w-full"
                  name="least"
                  placeholder="250ms"
                  defaultValue={filters.least}
                />
              </Field>
              <Field id="search-most" label="At most">
                <input
                  id="search-most"
                  className="control w-full"
                  name="most"
                  placeholder="2s"
                  defaultValue={filters.most}
                />
              </Field>
            </div>
            <Field id="search-correlation" label="Correlation id" isWide>
              <input
                id="search-correlation"
                className="control w-full"
                name="correlation"
                defaultValue={filters.correlation}
              />
            </Field>
            <Field id="search-name" label="Attribute" isWide>
              <input
                id="search-name"
                className="control w-full"
                name="name"
                list="attribute-names"
                placeholder="user_agent.original"
                value={name}
                onChange={(event) => setName(event.target.value)}
              />
              <datalist id="attribute-names">
                {known.map((row) => (
                  <option key={row.name}>{row.name}</option>
                ))}
              </datalist>
            </Field>
            <Field id="search-value" label="is" isWide>
              <input
                id="search-value"
                className="control w-full"
                name="value"
                list="attribute-values"
              />
              <datalist id="attribute-values">
                {values.map(([value]) => (
                  <option key={value}>{value}</option>
                ))}
              </datalist>
            </Field>
          </div>
        </details>
        <div className="mt-3 flex flex-wrap items-center gap-2">
          <button type="submit" className="control font-semibold">
            Search
          </button>
          <label className="flex min-h-9 items-center gap-1.5 px-1">
            <input
              type="checkbox"
              name="errors"
              defaultChecked={filters.errors}
              onChange={(event) => event.target.form?.requestSubmit()}
            />
            Errors only
          </label>
          {filters.attributes.map((pair) => (
            <button
              key={pair}
              type="button"
              className="control wrap-anywhere max-w-full text-left"
              aria-label={`Without ${pair}`}
              onClick={() =>
                set({ ...filters, attributes: filters.attributes.filter((one) => one !== pair) })
              }
            >
              <code>{pair}</code> <span aria-hidden="true">✕</span>
            </button>
          ))}
          {setCount(filters) > 0 && (
            <button type="button" className="control" onClick={() => set(NONE)}>
              Clear
            </button>
          )}
        </div>
      </div>
    </form>
  );
}

interface FieldProps {
  /** That of the control among the children. */
  id: string;
  label: string;
  isWide?: boolean;
  children: ReactNode;
}

function Field({ id, label, isWide = false, children }: FieldProps) {
  return (
    <div className={`min-w-0 grow ${isWide ? "col-span-2" : ""}`}>
      <label htmlFor={id} className="block truncate text-faint text-xs">
        {label}
      </label>
      {children}
    </div>
  );
}
