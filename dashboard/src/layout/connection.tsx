import { WITHOUT_TOKEN } from "../api";
import { type Connection, useConnection } from "../live";

const STATES: Record<Connection, { text: string; colour: string; about: string }> = {
  connecting: { text: "Connecting", colour: "text-faint", about: "The live connection is opened." },
  live: { text: "Live", colour: "text-good", about: "What arrives is shown at once." },
  polling: {
    text: "Polling",
    colour: "text-accent",
    about: "This server does not push; it is asked every two seconds.",
  },
  paused: { text: "Paused", colour: "text-faint", about: "Nothing is sent to a hidden tab." },
  refused: { text: "Not let in", colour: "text-bad", about: WITHOUT_TOKEN },
  disconnected: {
    text: "Disconnected",
    colour: "text-bad",
    about: "The dashboard's process does not answer. It is tried again by itself.",
  },
};

export function ConnectionState() {
  const connection = useConnection();
  const { text, colour, about } = STATES[connection];
  return (
    <span role="status" title={about} data-connection={connection} className="whitespace-nowrap">
      <span aria-hidden="true" className={colour}>
        ●
      </span>{" "}
      {text}
    </span>
  );
}
