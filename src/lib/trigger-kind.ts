const OWN_KINDS: ReadonlySet<string> = new Set(["a2a-push", "cron", "manual"]);

/** What kind of trigger a definition makes: what it says, else what its provider is (spec/triggers 5.1). */
export const triggerKindOf = ({
  provider,
  kind,
}: {
  readonly provider: string;
  readonly kind?: string | undefined;
}): string => kind ?? (OWN_KINDS.has(provider) ? provider : "webhook");
