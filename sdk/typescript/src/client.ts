import type { Client } from "openapi-fetch";

import { bearer, connect, data, once, type ChangeOptions, type ConnectionOptions, type Token } from "./connection.js";
import type { components, operations, paths } from "./schema.generated.js";

type Schemas = components["schemas"];
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

export type ApiKey = Schemas["ApiKey"];
export type IssuedApiKey = Schemas["IssuedApiKey"];
export type ApiKeyDraft = Schemas["ApiKeyDraft"];
export type ApiKeyPatch = Schemas["ApiKeyPatch"];
export type ApiKeyImport = Schemas["ApiKeyImport"];
export type Patient = Schemas["Patient"];
export type PatientInput = Schemas["PatientInput"];
export type CohortUploaded = Schemas["CohortUploaded"];
export type Employer = Schemas["Employer"];
export type User = Schemas["User"];
export type Session = Schemas["Session"];
export type Problem = Schemas["Problem"];

export interface ClientOptions extends ConnectionOptions {
  /** For cohort calls. Keep it on a server, never in a browser. */
  apiKey?: string | undefined;
  /** The value of the cookie sallyport_session, if there is a session already; login() sets it. */
  sessionCookie?: string | undefined;
  /**
   * A gate token, for verifyKey(); or a session token of a configured issuer (Clerk, any OpenID
   * Connect provider), for people instead of login(). Such tokens live for a minute or so: give a function, which is asked before each call.
   */
  token?: Token | undefined;
  /** Sent with each call. */
  apiVersion?: "2026-02-01" | "v1" | undefined;
  /** Lets an ADMIN act for another employer. */
  employerId?: string | undefined;
}

const COOKIE = "sallyport_session";

/** The value that a Set-Cookie field gives the session; "" if it clears it. */
function sessionOf(headers: Headers): string | undefined {
  const fields = headers.getSetCookie?.() ?? [headers.get("set-cookie") ?? ""];
  for (const field of fields) {
    const match = /^sallyport_session=([^;]*)/.exec(field);
    if (match) return match[1];
  }
  return undefined;
}

/**
 * A client: one method for each operation. Refusals are thrown as SallyportError.
 */
export class Sallyport {
  /** Every route by its path, typed: client.http.GET("/api/employer/cohort", { … }). */
  readonly http: Client<paths>;
  #session: string | undefined;

  constructor(options: ClientOptions) {
    this.#session = options.sessionCookie;
    this.http = connect(options, {
      fields: async () => ({
        "x-api-version": options.apiVersion ?? "2026-02-01",
        "x-api-key": options.apiKey,
        "x-employer-id": options.employerId,
        authorization: await bearer(options.token),
        cookie: this.#session && `${COOKIE}=${this.#session}`,
      }),
      heard: (headers) => {
        const session = sessionOf(headers);
        if (session !== undefined) this.#session = session === "" ? undefined : session;
      },
    });
  }

  /** The session's cookie value, for another process; undefined when signed out. */
  get sessionCookie(): string | undefined {
    return this.#session;
  }

  // ---- sessions ----

  /** Sign in; the session is kept and sent with each later call. */
  login(email: string, password: string): Promise<Session> {
    return data(this.http.POST("/api/auth/login", { body: { email, password } }));
  }

  me(): Promise<Schemas["Me"]> {
    return data(this.http.GET("/api/auth/me"));
  }

  async logout(): Promise<void> {
    await this.http.POST("/api/auth/logout");
  }

  /** One's own sessions, newest first, page by page. */
  async *sessions(query: Query<"listSessions"> = {}): AsyncGenerator<Schemas["SessionItem"]> {
    yield* all(query, (page) => this.listSessions(page), (list) => list.sessions);
  }

  listSessions(query: Query<"listSessions"> = {}): Promise<Schemas["SessionList"]> {
    return data(this.http.GET("/api/auth/sessions", { params: { query } }));
  }

  async endSession(sessionId: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.DELETE("/api/auth/sessions/{sessionId}", { params: { path: { sessionId }, ...once(options) } });
  }

  /** One's own; the other sessions end. */
  async changePassword(currentPassword: string, newPassword: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.PUT("/api/auth/password", { params: once(options), body: { currentPassword, newPassword } });
  }

  /** With the token of a link that an ADMIN has made. */
  async resetPassword(token: string, newPassword: string): Promise<void> {
    await this.http.POST("/api/auth/reset-password", { body: { token, newPassword } });
  }

  // ---- API keys ----

  listApiKeys(query: Query<"listApiKeys"> = {}): Promise<Schemas["ApiKeyList"]> {
    return data(this.http.GET("/api/employer/api-keys", { params: { query } }));
  }

  /** All keys, newest first, page by page. */
  async *apiKeys(query: Query<"listApiKeys"> = {}): AsyncGenerator<ApiKey> {
    yield* all(query, (page) => this.listApiKeys(page), (list) => list.keys);
  }

  /** `rawKey` of the answer is the secret; it is not shown again. */
  createApiKey(draft: ApiKeyDraft, options: ChangeOptions = {}): Promise<IssuedApiKey> {
    return data(this.http.POST("/api/employer/api-keys", { params: once(options), body: draft }));
  }

  importApiKeys(keys: ApiKeyImport["keys"], options: ChangeOptions = {}): Promise<Schemas["ApiKeyImported"]> {
    return data(this.http.POST("/api/employer/api-keys/import", { params: once(options), body: { keys } }));
  }

  getApiKey(keyId: string): Promise<ApiKey> {
    return data(this.http.GET("/api/employer/api-keys/{keyId}", { params: { path: { keyId } } }));
  }

  updateApiKey(keyId: string, patch: ApiKeyPatch, options: ChangeOptions = {}): Promise<ApiKey> {
    const params = { path: { keyId }, ...once(options) };
    return data(this.http.PATCH("/api/employer/api-keys/{keyId}", { params, body: patch }));
  }

  /** A new secret for the same key; the old one works for overlapSeconds more (default a day). */
  rotateApiKey(keyId: string, overlapSeconds?: number, options: ChangeOptions = {}): Promise<IssuedApiKey> {
    const params = { path: { keyId }, ...once(options) };
    const body = overlapSeconds === undefined ? {} : { body: { overlapSeconds } };
    return data(this.http.POST("/api/employer/api-keys/{keyId}/rotate", { params, ...body }));
  }

  async revokeApiKey(keyId: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.DELETE("/api/employer/api-keys/{keyId}", { params: { path: { keyId }, ...once(options) } });
  }

  // ---- cohorts ----

  uploadCohort(
    patients: PatientInput[],
    query: Query<"uploadCohort"> = {},
    options: ChangeOptions = {},
  ): Promise<CohortUploaded> {
    const params = { query, ...once(options) };
    return data(this.http.POST("/api/employer/upload-cohort", { params, body: { patients } }));
  }

  listCohort(query: Query<"listCohort"> = {}): Promise<Schemas["PatientList"]> {
    return data(this.http.GET("/api/employer/cohort", { params: { query } }));
  }

  /** The whole roster, page by page. */
  async *patients(query: Query<"listCohort"> = {}): AsyncGenerator<Patient> {
    yield* all(query, (page) => this.listCohort(page), (list) => list.patients);
  }

  // ---- administration ----

  listEmployers(query: Query<"listEmployers"> = {}): Promise<Schemas["EmployerList"]> {
    return data(this.http.GET("/api/admin/employers", { params: { query } }));
  }

  createEmployer(draft: Schemas["EmployerDraft"], options: ChangeOptions = {}): Promise<Employer> {
    return data(this.http.POST("/api/admin/employers", { params: once(options), body: draft }));
  }

  updateEmployer(employerId: string, patch: Schemas["EmployerPatch"], options: ChangeOptions = {}): Promise<Employer> {
    const params = { path: { employerId }, ...once(options) };
    return data(this.http.PATCH("/api/admin/employers/{employerId}", { params, body: patch }));
  }

  listUsers(query: Query<"listUsers"> = {}): Promise<Schemas["UserList"]> {
    return data(this.http.GET("/api/admin/users", { params: { query } }));
  }

  createUser(draft: Schemas["UserDraft"], options: ChangeOptions = {}): Promise<User> {
    return data(this.http.POST("/api/admin/users", { params: once(options), body: draft }));
  }

  updateUser(userId: string, patch: Schemas["UserPatch"], options: ChangeOptions = {}): Promise<User> {
    const params = { path: { userId }, ...once(options) };
    return data(this.http.PATCH("/api/admin/users/{userId}", { params, body: patch }));
  }

  listUserSessions(userId: string, query: Query<"listUserSessions"> = {}): Promise<Schemas["SessionList"]> {
    return data(this.http.GET("/api/admin/users/{userId}/sessions", { params: { path: { userId }, query } }));
  }

  async endUserSessions(userId: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.DELETE("/api/admin/users/{userId}/sessions", { params: { path: { userId }, ...once(options) } });
  }

  async endUserSession(userId: string, sessionId: string, options: ChangeOptions = {}): Promise<void> {
    const params = { path: { userId, sessionId }, ...once(options) };
    await this.http.DELETE("/api/admin/users/{userId}/sessions/{sessionId}", { params });
  }

  /** `url` is the secret, shown this once: with it the user sets a password. */
  createResetLink(userId: string, options: ChangeOptions = {}): Promise<Schemas["ResetLink"]> {
    const params = { path: { userId }, ...once(options) };
    return data(this.http.POST("/api/admin/users/{userId}/reset-link", { params }));
  }

  /** End a session that an issuer has begun: its tokens are refused from then on. */
  revokeSession(issuer: string, sid: string): Promise<Schemas["RevokedSession"]> {
    return data(this.http.POST("/api/admin/revoked-sessions", { body: { issuer, sid } }));
  }

  /** A new instance key; what the present one made stays valid until the next rotation. */
  rotateInstanceKey(options: ChangeOptions = {}): Promise<Schemas["InstanceKeyRotated"]> {
    return data(this.http.POST("/api/admin/instance-key/rotate", { params: once(options) }));
  }

  // ---- the gate ----

  listGateTokens(query: Query<"listGateTokens"> = {}): Promise<Schemas["GateTokenList"]> {
    return data(this.http.GET("/api/admin/gate-tokens", { params: { query } }));
  }

  /** `token` of the answer is the secret; it is not shown again. */
  createGateToken(name: string, options: ChangeOptions = {}): Promise<Schemas["IssuedGateToken"]> {
    return data(this.http.POST("/api/admin/gate-tokens", { params: once(options), body: { name } }));
  }

  async revokeGateToken(gateTokenId: string, options: ChangeOptions = {}): Promise<void> {
    const params = { path: { gateTokenId }, ...once(options) };
    await this.http.DELETE("/api/admin/gate-tokens/{gateTokenId}", { params });
  }

  /** Judge somebody's key; for a client whose `token` is a gate token. */
  verifyKey(question: Schemas["GateQuestion"]): Promise<Schemas["GateVerdict"]> {
    return data(this.http.POST("/gate/verify", { body: question }));
  }

  /** The verdicts in the order of the questions, 1,000 at most. */
  async verifyKeys(questions: Schemas["GateQuestion"][]): Promise<Schemas["GateVerdict"][]> {
    return (await data(this.http.POST("/gate/verify/batch", { body: { requests: questions } }))).results;
  }

  // ---- the audit ----

  /** The lines of the employer, the newest first. */
  listEmployerAudit(query: Query<"listEmployerAudit"> = {}): Promise<Schemas["AuditList"]> {
    return data(this.http.GET("/api/employer/audit", { params: { query } }));
  }

  /** The lines of the whole instance, for ADMINs. */
  listAudit(query: Query<"listAudit"> = {}): Promise<Schemas["AuditList"]> {
    return data(this.http.GET("/api/admin/audit", { params: { query } }));
  }

  /** Looks for lines that were altered, taken out or put in; see `verified` in the answer. */
  verifyAudit(query: Query<"verifyAudit"> = {}): Promise<Schemas["AuditReport"]> {
    return data(this.http.GET("/api/admin/audit/verification", { params: { query } }));
  }

  /** Puts lines older than audit_retention into signed files. */
  archiveAudit(): Promise<Schemas["AuditArchived"]> {
    return data(this.http.POST("/api/admin/audit/archive"));
  }

  // ---- the server ----

  health(): Promise<Schemas["Health"]> {
    return data(this.http.GET("/healthz"));
  }

  readiness(): Promise<Schemas["Readiness"]> {
    return data(this.http.GET("/readyz"));
  }

  version(): Promise<Schemas["Versions"]> {
    return data(this.http.GET("/api/version"));
  }
}

async function* all<List extends { nextCursor: string | null }, Item>(
  query: { limit?: number; cursor?: string },
  read: (query: { limit?: number; cursor?: string }) => Promise<List>,
  items: (list: List) => Item[],
): AsyncGenerator<Item> {
  let page = query;
  for (;;) {
    const list = await read(page);
    yield* items(list);
    if (list.nextCursor === null) return;
    page = { ...page, cursor: list.nextCursor };
  }
}

export function createClient(options: ClientOptions): Sallyport {
  return new Sallyport(options);
}
