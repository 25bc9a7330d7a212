import type { assetPageSchema, AssetRow, assetSchema, putAssetSchema } from "../../schema/api-asset.ts";
import type * as z from "zod";
import { type Out, type Query, segment, type Transport } from "./transport.ts";

/** Texts that verification contracts name. */
export class AssetCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  put = (name: string, body: z.input<typeof putAssetSchema>) =>
    this.#transport.send<AssetRow>("PUT", `/v1/assets/${segment(name)}`, { body });
  list = (query: Query = {}) => this.#transport.send<Out<typeof assetPageSchema>>("GET", "/v1/assets", { query });
  get = (name: string) => this.#transport.send<Out<typeof assetSchema>>("GET", `/v1/assets/${segment(name)}`);
  delete = (name: string) => this.#transport.send<undefined>("DELETE", `/v1/assets/${segment(name)}`);
}
