interface ImportMeta {
  /** Files that match a pattern, bundled with the tests. */
  readonly glob: <Content>(
    pattern: string,
    options: { readonly query: "?raw"; readonly import: "default"; readonly eager: true },
  ) => Readonly<Record<string, Content>>;
}
