/** What the server asks of its own Worker, which has the bindings of the engine. */
export type ControlRequest =
  | {
      /** Tell these objects that every driver of an earlier process is dead. */
      readonly type: "recover";
      readonly binding: string;
      readonly ids: readonly string[];
      readonly concurrency: number;
    }
  | { readonly type: "applied_migrations" }
  | {
      /** Run the statements and note the migration, together or not at all. */
      readonly type: "migrate";
      readonly name: string;
      readonly statements: readonly string[];
    };

/** How a recovery went. */
export interface RecoverReply {
  readonly recovered: number;
  readonly failed: number;
  /** The first failure. */
  readonly reason: string | null;
}

/** Which migrations the database has. */
export interface MigrationsReply {
  readonly names: readonly string[];
}
