import { isObject, type Json, type JsonObject, valueAt } from "../../src/lib/json.ts";

/** An argument refers to a value that no earlier step has captured. */
export class DanglingReference extends Error {
  override readonly name = "DanglingReference";

  constructor(path: string) {
    super(`nothing is known at ${path}`);
  }
}

/** Entries of `given` that script what surrounds the system; every other entry is only there to be referenced. */
export const SURROUNDINGS = ["stage_results", "verify_commands", "verify_sequence", "routes", "remote_agents"] as const;

export type Surrounding = (typeof SURROUNDINGS)[number];

/** The values of one vector: what is given, and what its steps have captured so far. */
export class Values {
  readonly #given: JsonObject;
  readonly #captured = new Map<string, Json>();
  readonly #read = new Set<string>();

  constructor(given: JsonObject) {
    this.#given = given;
  }

  /** Keeps an operation's return under a name; a name used again means the newer value. */
  capture(name: string, value: Json): void {
    this.#captured.set(name, value);
  }

  /** The value at `given.<path>` or `<captured name>.<path>`. */
  readonly lookup = (path: string): Json | undefined => {
    const [head = "", ...rest] = path.split(".");
    if (head !== "given") {
      const value = this.#captured.get(head);
      return rest.length === 0 ? value : valueAt(value, rest.join("."));
    }
    const value = this.#giveEntry(rest[0] ?? "");
    return rest.length <= 1 || value === undefined ? value : valueAt(this.resolve(value), rest.slice(1).join("."));
  };

  /** A scripted surrounding, resolved; it counts as read from now on. */
  surrounding(name: Surrounding): Json | undefined {
    const value = this.#giveEntry(name);
    return value === undefined ? undefined : this.resolve(value);
  }

  /** A value with every reference and repetition in it replaced. */
  resolve(value: Json): Json {
    if (Array.isArray(value)) return value.map((item: Json) => this.resolve(item));
    if (!isObject(value)) return value;
    const [only] = Object.keys(value);
    if (Object.keys(value).length === 1 && only === "$ref") return this.#reference(String(value["$ref"]));
    if (Object.keys(value).length === 1 && only === "$repeat") return repeat(value["$repeat"] ?? null);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.resolve(inner)]));
  }

  /** Entries of `given` that nothing has looked at. */
  unread(): readonly string[] {
    return Object.keys(this.#given).filter((key) => !this.#read.has(key));
  }

  #giveEntry(name: string): Json | undefined {
    if (!Object.hasOwn(this.#given, name)) return undefined;
    this.#read.add(name);
    return this.#given[name];
  }

  #reference(path: string): Json {
    const value = this.lookup(path);
    if (value === undefined) throw new DanglingReference(path);
    // What was captured is data, even where it looks like a reference; only what is given is written in this notation.
    return path.startsWith("given.") ? this.resolve(value) : value;
  }
}

const repeat = (argument: Json): string => {
  const [text, times] = Array.isArray(argument) ? (argument as readonly Json[]) : [];
  return String(text).repeat(Number(times));
};
