import { beforeAll, describe, expect, it } from "vitest";
import { type MasterKeys, NO_MASTER_KEY, openSecret, readMasterKeys, sealSecret } from "../../../src/http/sealing.ts";
import { generatedSecret, openHeld, resealedUnder } from "../../../src/http/trigger-secrets.ts";
import { stored } from "../trigger/fixture.ts";

const OWNER = { tenant: "acme", trigger_id: "hub" };
const OLD = btoa("o".repeat(32));
const NEW = btoa("n".repeat(32));

const keysOf = async (setting: string): Promise<MasterKeys> => {
  const keys = await readMasterKeys(setting);
  if (!keys.ok) throw new Error(keys.error);
  return keys.value;
};

let old: MasterKeys;
let both: MasterKeys;
let fresh: MasterKeys;

beforeAll(async () => {
  old = await keysOf(OLD);
  both = await keysOf(`${NEW}, ${OLD}`);
  fresh = await keysOf(NEW);
});

describe("master keys", () => {
  it.each([undefined, "", "  "])("[T-5.9] without one (%j) it is said what to set", async (setting) => {
    expect(await readMasterKeys(setting)).toEqual({ ok: false, error: NO_MASTER_KEY });
  });

  it.each([
    ["short", 1],
    [btoa("x".repeat(31)), 1],
    [`${NEW},`, 2],
    [`${NEW},not base64!`, 2],
  ])("[T-5.9] %s is refused without being shown", async (setting, index) => {
    const keys = await readMasterKeys(setting);
    expect(keys).toEqual({
      ok: false,
      error: `key ${index} of GODWIT_MASTER_KEY is not the base64 of 32 bytes; set it anew`,
    });
  });
});

describe("sealing", () => {
  it.each(["s3cr3t", "ÄÖ 🙂", "\ufeffmarked", "x".repeat(1_000)])("[T-26.2] %j comes back", async (secret) => {
    const { sealed } = await sealSecret(old, OWNER, secret);
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/);
    expect(await openSecret(old, OWNER, sealed)).toBe(secret);
    expect(await openSecret(both, OWNER, sealed)).toBe(secret);
    expect(await openSecret(fresh, OWNER, sealed)).toBeNull();
  });

  it("[T-26.2] the same secret is never sealed as the same text, and has one digest for each key", async () => {
    const [one, two] = [await sealSecret(old, OWNER, "s"), await sealSecret(both, OWNER, "s")];
    expect(one.sealed).not.toBe((await sealSecret(old, OWNER, "s")).sealed);
    expect(two.digests).toHaveLength(2);
    expect(two.digests[1]).toBe(one.digests[0]);
    expect(two.digests[0]).not.toBe(one.digests[0]);
    expect((await sealSecret(old, OWNER, "t")).digests).not.toEqual(one.digests);
  });

  it("[T-26.2] a sealed secret opens for its own trigger and tenant only, and in one piece only", async () => {
    const { sealed, digests } = await sealSecret(old, OWNER, "s");
    const elsewhere = { tenant: "other", trigger_id: "hub" };
    for (const owner of [elsewhere, { ...OWNER, trigger_id: "spoke" }]) {
      expect(await openSecret(old, owner, sealed)).toBeNull();
      expect((await sealSecret(old, owner, "s")).digests).not.toEqual(digests);
    }
    const flipped = sealed.slice(0, -2) + (sealed.at(-2) === "A" ? "B" : "A") + sealed.slice(-1);
    for (const broken of [flipped, sealed.slice(0, -8), sealed.replace("v1", "v2"), "", "v1.x.y.z"]) {
      expect(await openSecret(old, OWNER, broken)).toBeNull();
    }
  });
});

const held = async (keys: MasterKeys, ...texts: readonly string[]) =>
  Promise.all(
    texts.map(async (text) => {
      const { sealed, digests } = await sealSecret(keys, OWNER, text);
      return { id: digests[0], sealed, expires_at_ms: null };
    }),
  );

describe("held secrets", () => {
  it("[T-5.9] are opened, or it is said why they cannot be", async () => {
    const two = await held(old, "a", "b");
    const opened = await openHeld({ GODWIT_MASTER_KEY: OLD }, OWNER, two);
    expect(opened.ok && opened.value.map(({ text }) => text)).toEqual(["a", "b"]);
    expect(await openHeld({ GODWIT_MASTER_KEY: NEW }, OWNER, two)).toMatchObject({
      error: expect.stringContaining("its key is not in GODWIT_MASTER_KEY"),
    });
    expect(await openHeld({}, OWNER, two)).toEqual({ ok: false, error: NO_MASTER_KEY });
    expect(await openHeld({ GODWIT_MASTER_KEY: OLD }, OWNER, [])).toMatchObject({
      error: expect.stringContaining("put the trigger again with its `secret`"),
    });
  });

  it("[T-26.2] are sealed anew under the first key, those only that are under another", async () => {
    const [earlier] = await held(old, "a");
    const [now] = await held(fresh, "b");
    if (earlier === undefined || now === undefined) throw new Error("nothing was sealed");
    const resealed = await resealedUnder(both, OWNER, [earlier, now]);
    expect(resealed).toMatchObject({ ok: true, value: [{ id: earlier.id }] });
    const [one] = resealed.ok ? resealed.value : [];
    expect(await openSecret(fresh, OWNER, one?.sealed ?? "")).toBe("a");
    expect(one?.digest).toBe((await sealSecret(fresh, OWNER, "a")).digests[0]);
    expect(await resealedUnder(fresh, OWNER, [earlier])).toMatchObject({ error: { code: "unavailable" } });
  });
});

it("[T-5.9] a made secret has its sender's form, and with an idempotency key it is made once", async () => {
  const github = { owner: OWNER, definition: stored() };
  const standard = { owner: OWNER, definition: stored({ provider: "webhook", secret: "whsec_c2VjcmV0", match: {} }) };
  const make = (of: typeof github, idempotency_key: string | null, keys = old): Promise<string> =>
    generatedSecret({ idempotency_key }, keys, of);
  expect(await make(github, null)).toMatch(/^[0-9a-f]{64}$/);
  expect(await make(standard, null)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(await make(github, null)).not.toBe(await make(github, null));
  expect(await make(github, "k")).toBe(await make(github, "k"));
  const others = [
    make(github, "j"),
    make(github, "k", fresh),
    make({ ...github, owner: { ...OWNER, tenant: "x" } }, "k"),
  ];
  for (const other of others) expect(await other).not.toBe(await make(github, "k"));
});
