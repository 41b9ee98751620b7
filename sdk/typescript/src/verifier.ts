import type { ConnectionOptions, Token } from "./connection.js";
import { SallyportError } from "./error.js";
import { Management, type VerifiedKey } from "./management.js";

export interface VerifierOptions extends ConnectionOptions {
  /** A key of the management API with the scope read:api_keys. */
  token: Token;
  /** The API that keys must be of, by its audience or its id. Without it a key of any API passes. */
  api?: string | undefined;
  /**
   * How long a key that is good is not asked about again: 60 by default, 300 at most, 0 for never.
   * A key revoked meanwhile passes for so long, unless purge() is called; and a call that is not
   * asked about is neither counted nor limited.
   */
  cacheSeconds?: number | undefined;
  /** Of how many keys is this remembered? 10,000 by default. */
  cacheKeys?: number | undefined;
  /** An answer that takes longer is none: nothing is served. 3,000 by default. */
  timeoutMs?: number | undefined;
  /** What a key of this API looks like; others are refused without being asked about. */
  format?: RegExp | undefined;
  /** Told of each request, for logs and alarms; never of a secret. */
  onOutcome?: ((outcome: Outcome) => void) | undefined;
}

/** Who calls. Take the organization and the user from here, never from what the caller sends. */
export interface Access {
  /** Fit for logs. */
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** Of an organization's key, else null. */
  readonly orgCode: string | null;
  /** Of a user's own key, else null. */
  readonly userId: string | null;
}

/** An answer for the caller: nothing is served. */
export interface Refusal {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: { readonly error: string; readonly code: string } & Readonly<Record<string, unknown>>;
}

export type Judgement = { access: Access; refusal?: never } | { access?: never; refusal: Refusal };

export interface Outcome {
  /** VERIFIED, or the code of the refusal. */
  code: string;
  keyId: string | null;
  isCached: boolean;
  /** Why the server could not be asked: for the log, not for the caller. */
  cause?: unknown;
}

const CACHE_MAX_SECONDS = 300;
const KEY_MAX_BYTES = 4096;

export function refuse(
  status: number,
  code: string,
  error: string,
  members: Record<string, unknown> = {},
  fields: Record<string, string> = {},
): Refusal {
  const challenge: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
  return { status, fields: { ...challenge, ...fields }, body: { error, code, ...members } };
}

/** The key of `Authorization: Bearer KEY`, of all the fields of that name. */
function keyOf(fields: readonly string[]): string | Refusal {
  const [field, second] = fields;
  if (field === undefined) return refuse(401, "MISSING_CREDENTIALS", "Authentication failed");
  const match = second === undefined && /^Bearer ([\x21-\x7e]+)$/i.exec(field);
  return match ? match[1]! : refuse(400, "MALFORMED_REQUEST", "Malformed request");
}

/** What the server says of a key that it does not let pass, for the one who sent the key. */
function refusalOf(verified: VerifiedKey): Refusal {
  switch (verified.code) {
    case "RATE_LIMITED": {
      const wait = String(Math.max(1, Number(verified.retry_after_seconds ?? 1)));
      return refuse(429, "RATE_LIMITED", "Rate limit exceeded", {}, { "retry-after": wait, "ratelimit-reset": wait });
    }
    case "API_KEY_REVOKED":
      return refuse(401, "KEY_REVOKED", "Invalid API key");
    case "API_KEY_INACTIVE":
    case "API_KEY_NOT_YET_VALID":
    case "API_KEY_EXPIRED":
      return refuse(401, "KEY_INACTIVE", "API key is not active");
    case "EMPLOYER_INACTIVE":
    case "EMPLOYER_NOT_APPROVED":
    case "USER_INACTIVE":
      return refuse(403, "ORGANIZATION_ACCESS_DENIED", "Organization access denied");
    case "API_KEY_IP_NOT_ALLOWED":
    case "GEO_NOT_ALLOWED":
      return refuse(403, verified.code, "Access denied");
    default:
      return refuse(401, "INVALID_KEY", "Invalid API key");
  }
}

/** Where crypto is no global (Node 18), it is a module. */
async function subtle(): Promise<SubtleCrypto> {
  const here = (globalThis as { crypto?: Crypto }).crypto?.subtle;
  const module = "node:crypto";
  return here ?? ((await import(module)) as { webcrypto: Crypto }).webcrypto.subtle;
}

async function digest(text: string): Promise<string> {
  const bytes = await (await subtle()).digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Remembered {
  access: Access;
  endsAt: number;
}

/**
 * Judges the keys that an API of your own is called with, by asking the server. What cannot be
 * judged is refused: nobody is served because the server is away.
 */
export class Verifier {
  readonly #management: Management;
  readonly #options: VerifierOptions;
  readonly #cacheMs: number;
  readonly #cacheKeys: number;
  /** By digest and client, the oldest first. */
  #good = new Map<string, Remembered>();
  /** Questions on their way: the same one is not asked twice at a time. */
  #asked = new Map<string, Promise<VerifiedKey>>();
  #purges = 0;

  constructor(options: VerifierOptions) {
    const seconds = options.cacheSeconds ?? 60;
    if (!(seconds >= 0 && seconds <= CACHE_MAX_SECONDS))
      throw new RangeError(`cacheSeconds must be from 0 to ${CACHE_MAX_SECONDS}: a revoked key passes for so long`);
    this.#cacheMs = seconds * 1000;
    this.#cacheKeys = options.cacheKeys ?? 10_000;
    this.#options = options;
    this.#management = new Management({ ...options, retries: options.retries ?? 0 });
  }

  /**
   * By the fields Authorization of a request, all that it has, and the end client's address, which
   * the key's rules of address and place are about.
   */
  async check(authorization: readonly string[], clientAddress?: string): Promise<Judgement> {
    const key = keyOf(authorization);
    if (typeof key !== "string") return this.#refused(key, null);
    if (key.length > KEY_MAX_BYTES || (this.#options.format && key.search(this.#options.format) < 0))
      return this.#refused(refuse(401, "INVALID_KEY", "Invalid API key"), null);
    try {
      return await this.#judge(key, clientAddress);
    } catch (cause) {
      const wait = cause instanceof SallyportError ? (cause.retryAfterSeconds ?? 1) : 1;
      const fields = { "retry-after": String(Math.max(1, wait)) };
      const refusal = refuse(503, "VERIFICATION_UNAVAILABLE", "Keys cannot be verified at the moment", {}, fields);
      return this.#refused(refusal, null, cause);
    }
  }

  /** Forget what is remembered: of one key by its id, or of all. The next request is asked about. */
  purge(keyId?: string): void {
    this.#purges++;
    this.#asked.clear();
    if (keyId === undefined) this.#good.clear();
    for (const [name, { access }] of this.#good) if (access.keyId === keyId) this.#good.delete(name);
  }

  async #judge(key: string, client: string | undefined): Promise<Judgement> {
    const name = this.#cacheMs ? `${await digest(key)} ${client ?? ""}` : "";
    const known = this.#good.get(name);
    if (known !== undefined && Date.now() < known.endsAt) {
      this.#tell({ code: "VERIFIED", keyId: known.access.keyId, isCached: true });
      return { access: known.access };
    }
    const purges = this.#purges;
    const verified = await this.#ask(name, key, client);
    if (verified.is_valid !== true) return this.#refused(refusalOf(verified), verified.key_id);
    if (verified.status !== "active" || !verified.key_id)
      return this.#refused(refuse(401, "KEY_INACTIVE", "API key is not active"), verified.key_id);

    const access: Access = Object.freeze({
      keyId: verified.key_id,
      scopes: Object.freeze([...verified.scopes]),
      orgCode: verified.org_code,
      userId: verified.user_id,
    });
    // The answer may be older than a purge that came while it was on its way.
    if (this.#cacheMs && purges === this.#purges) this.#remember(name, access);
    this.#tell({ code: "VERIFIED", keyId: access.keyId, isCached: false });
    return { access };
  }

  #ask(name: string, key: string, client: string | undefined): Promise<VerifiedKey> {
    const asked = this.#asked.get(name);
    if (asked !== undefined) return asked;
    const { api, timeoutMs } = this.#options;
    const isId = api !== undefined && /^([0-9a-f]{32}|enterprise|management)$/.test(api);
    const question = this.#management
      .verifyKey(
        {
          api_key: key,
          ...(api === undefined ? {} : isId ? { api_id: api } : { audience: api }),
          ...(client === undefined ? {} : { client_address: client }),
        },
        AbortSignal.timeout(timeoutMs ?? 3000),
      )
      .finally(() => {
        if (this.#asked.get(name) === question) this.#asked.delete(name);
      });
    if (this.#cacheMs) this.#asked.set(name, question);
    return question;
  }

  #remember(name: string, access: Access): void {
    this.#good.delete(name);
    this.#good.set(name, { access, endsAt: Date.now() + this.#cacheMs });
    const [oldest] = this.#good.keys();
    if (this.#good.size > this.#cacheKeys && oldest !== undefined) this.#good.delete(oldest);
  }

  #refused(refusal: Refusal, keyId: string | null, cause?: unknown): Judgement {
    this.#tell({ code: refusal.body.code, keyId, isCached: false, ...(cause === undefined ? {} : { cause }) });
    return { refusal };
  }

  #tell(outcome: Outcome): void {
    try {
      this.#options.onOutcome?.(outcome);
    } catch {
      // A log that fails does not decide who is served.
    }
  }
}

/** All are needed, to the letter; undefined where none is missing. */
export function missingScopes(access: Access, required: readonly string[]): Refusal | undefined {
  const missing = required.filter((scope) => !access.scopes.includes(scope));
  return missing.length === 0
    ? undefined
    : refuse(403, "INSUFFICIENT_SCOPE", `Insufficient scope: ${missing.join(", ")}`, {
        required_scopes: required,
        available_scopes: access.scopes,
      });
}

/** An organization's key, and if one is named, that organization's; undefined where it is. */
export function wrongOrganization(access: Access, wanted?: string): Refusal | undefined {
  return access.orgCode !== null && (wanted === undefined || wanted === access.orgCode)
    ? undefined
    : refuse(403, "ORGANIZATION_ACCESS_DENIED", "Organization access denied");
}
