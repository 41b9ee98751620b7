import createFetchClient, { type Client } from "openapi-fetch";

import { errorOf } from "./error.js";
import { newIdempotencyKey, retrying, type Fetch, type RetryOptions } from "./retry.js";
import type { paths } from "./schema.generated.js";

export interface ConnectionOptions extends RetryOptions {
  /** Where the server is, e.g. https://api.example.org. */
  baseUrl: string;
  /** Instead of the global fetch. */
  fetch?: Fetch | undefined;
}

/** A text, or a function that is asked before each call, for what changes from time to time. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

/** For calls that change something. */
export interface ChangeOptions {
  /**
   * Makes it safe to send the call again: a text of your own, such as a UUID, new for each change.
   * Sent again under the same key, the call is answered as before and changes nothing. Where there
   * are retries, a call without one gets one.
   */
  idempotencyKey?: string | undefined;
}

/** The header parameters of a change. */
export const once = (options: ChangeOptions): { header: { "Idempotency-Key"?: string } } => ({
  header: options.idempotencyKey === undefined ? {} : { "Idempotency-Key": options.idempotencyKey },
});

/** What a call gave, once errors have been thrown. */
export async function data<T>(call: Promise<{ data?: T }>): Promise<NonNullable<T>> {
  return (await call).data as NonNullable<T>;
}

/** What is sent with each call, and looked at in each answer. */
export interface Manners {
  fields: () => Promise<Record<string, string | undefined>>;
  heard?: (headers: Headers) => void;
}

/** Every route by its path, typed. Refusals are thrown as SallyportError. */
export function connect(options: ConnectionOptions, manners: Manners): Client<paths> {
  const http = createFetchClient<paths>({
    baseUrl: options.baseUrl.replace(/\/+$/, ""),
    fetch: retrying(options.fetch ?? ((request) => globalThis.fetch(request)), options),
  });

  http.use({
    onRequest: async ({ request }) => {
      const isChange = !["GET", "HEAD"].includes(request.method);
      const fields = {
        "idempotency-key": isChange && options.retries !== 0 ? newIdempotencyKey() : undefined,
        ...(await manners.fields()),
      };
      for (const [name, value] of Object.entries(fields))
        if (value !== undefined && !request.headers.has(name)) request.headers.set(name, value);
    },
    onResponse: async ({ response }) => {
      if (!response.ok) throw await errorOf(response);
      manners.heard?.(response.headers);
    },
  });
  return http;
}

/** As a field of Authorization. */
export async function bearer(token: Token | undefined): Promise<string | undefined> {
  const text = typeof token === "function" ? await token() : token;
  return text && `Bearer ${text}`;
}
