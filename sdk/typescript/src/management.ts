import type { Client } from "openapi-fetch";

import { bearer, connect, data, once, type ChangeOptions, type ConnectionOptions, type Token } from "./connection.js";
import type { components, operations, paths } from "./schema.generated.js";

type Schemas = components["schemas"];
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

export type Api = Schemas["Api"];
export type ApiDraft = Schemas["ApiDraft"];
export type ApiScope = Schemas["ApiScope"];
export type Organization = Schemas["Organization"];
export type ManagedUser = Schemas["ManagedUser"];
export type Plan = Schemas["Plan"];
export type ManagedKey = Schemas["ManagedKey"];
export type ManagedKeyItem = Schemas["ManagedKeyItem"];
export type ManagedKeyDraft = Schemas["ManagedKeyDraft"];
export type VerifiedKey = Schemas["VerifiedKey"];
/** `key` is the secret, and in this answer only. */
export type KeySecret = Schemas["ManagedKeySecret"]["api_key"];

export interface ManagementOptions extends ConnectionOptions {
  /** A key of the management API with the scopes that the calls name. Keep it on a server. */
  token: Token;
}

/**
 * The management API: APIs of your own, their scopes, organizations, users, plans and keys. One
 * method for each operation, in the words of the API. Refusals are thrown as SallyportError.
 */
export class Management {
  /** Every route by its path, typed: management.http.GET("/api/v1/apis", { … }). */
  readonly http: Client<paths>;

  constructor(options: ManagementOptions) {
    this.http = connect(options, { fields: async () => ({ authorization: await bearer(options.token) }) });
  }

  // ---- APIs and scopes ----

  /** All of them, by name, the built-in ones among them. */
  async listApis(query: Query<"listApis"> = {}): Promise<Api[]> {
    return (await data(this.http.GET("/api/v1/apis", { params: { query } }))).apis;
  }

  async registerApi(draft: ApiDraft, options: ChangeOptions = {}): Promise<{ id: string }> {
    return (await data(this.http.POST("/api/v1/apis", { params: once(options), body: draft }))).api;
  }

  async getApi(apiId: string): Promise<Schemas["ApiAnswer"]["api"]> {
    return (await data(this.http.GET("/api/v1/apis/{apiId}", { params: { path: { apiId } } }))).api;
  }

  async updateApi(apiId: string, patch: Schemas["ApiPatch"], options: ChangeOptions = {}): Promise<void> {
    await this.http.PATCH("/api/v1/apis/{apiId}", { params: { path: { apiId }, ...once(options) }, body: patch });
  }

  /** Refused with API_IN_USE while live keys are of it, unless `force`: then they are revoked. */
  deleteApi(apiId: string, force = false, options: ChangeOptions = {}): Promise<Schemas["ApiDeleted"]> {
    const params = { path: { apiId }, query: { force }, ...once(options) };
    return data(this.http.DELETE("/api/v1/apis/{apiId}", { params }));
  }

  async listScopes(apiId: string): Promise<ApiScope[]> {
    return (await data(this.http.GET("/api/v1/apis/{apiId}/scopes", { params: { path: { apiId } } }))).scopes;
  }

  async createScope(
    apiId: string,
    draft: Schemas["ApiScopeDraft"],
    options: ChangeOptions = {},
  ): Promise<{ id: string }> {
    const params = { path: { apiId }, ...once(options) };
    return (await data(this.http.POST("/api/v1/apis/{apiId}/scopes", { params, body: draft }))).scope;
  }

  async getScope(apiId: string, scopeId: string): Promise<ApiScope> {
    const params = { path: { apiId, scopeId } };
    return (await data(this.http.GET("/api/v1/apis/{apiId}/scopes/{scopeId}", { params }))).scope;
  }

  async updateScope(
    apiId: string,
    scopeId: string,
    patch: Schemas["ApiScopePatch"],
    options: ChangeOptions = {},
  ): Promise<void> {
    const params = { path: { apiId, scopeId }, ...once(options) };
    await this.http.PATCH("/api/v1/apis/{apiId}/scopes/{scopeId}", { params, body: patch });
  }

  /** Refused with API_IN_USE while live keys hold it, unless `force`: then they lose it. */
  deleteScope(
    apiId: string,
    scopeId: string,
    force = false,
    options: ChangeOptions = {},
  ): Promise<Schemas["ScopeDeleted"]> {
    const params = { path: { apiId, scopeId }, query: { force }, ...once(options) };
    return data(this.http.DELETE("/api/v1/apis/{apiId}/scopes/{scopeId}", { params }));
  }

  // ---- organizations and users ----

  listOrganizations(query: Query<"listOrganizations"> = {}): Promise<Schemas["OrganizationList"]> {
    return data(this.http.GET("/api/v1/organizations", { params: { query } }));
  }

  /** All of them, page by page. */
  async *organizations(): AsyncGenerator<Organization> {
    yield* all(
      (token) => this.listOrganizations(token),
      (list) => list.organizations,
    );
  }

  async createOrganization(draft: Schemas["OrganizationDraft"], options: ChangeOptions = {}): Promise<Organization> {
    const params = once(options);
    return (await data(this.http.POST("/api/v1/organizations", { params, body: draft }))).organization;
  }

  async getOrganization(code: string): Promise<Organization> {
    const params = { path: { code } };
    return (await data(this.http.GET("/api/v1/organizations/{code}", { params }))).organization;
  }

  async updateOrganization(
    code: string,
    patch: Schemas["OrganizationPatch"],
    options: ChangeOptions = {},
  ): Promise<Organization> {
    const params = { path: { code }, ...once(options) };
    return (await data(this.http.PATCH("/api/v1/organizations/{code}", { params, body: patch }))).organization;
  }

  listUsers(query: Query<"listManagedUsers"> = {}): Promise<Schemas["ManagedUserList"]> {
    return data(this.http.GET("/api/v1/users", { params: { query } }));
  }

  /** All of them, or those of one organization, page by page. */
  async *users(query: { org_code?: string } = {}): AsyncGenerator<ManagedUser> {
    yield* all(
      (token) => this.listUsers({ ...query, ...token }),
      (list) => list.users,
    );
  }

  async createUser(draft: Schemas["ManagedUserDraft"], options: ChangeOptions = {}): Promise<ManagedUser> {
    return (await data(this.http.POST("/api/v1/users", { params: once(options), body: draft }))).user;
  }

  async getUser(userId: string): Promise<ManagedUser> {
    return (await data(this.http.GET("/api/v1/users/{userId}", { params: { path: { userId } } }))).user;
  }

  async updateUser(
    userId: string,
    patch: Schemas["ManagedUserPatch"],
    options: ChangeOptions = {},
  ): Promise<ManagedUser> {
    const params = { path: { userId }, ...once(options) };
    return (await data(this.http.PATCH("/api/v1/users/{userId}", { params, body: patch }))).user;
  }

  // ---- plans ----

  async listPlans(): Promise<Plan[]> {
    return (await data(this.http.GET("/api/v1/plans"))).plans;
  }

  async createPlan(draft: Schemas["PlanDraft"], options: ChangeOptions = {}): Promise<Plan> {
    return (await data(this.http.POST("/api/v1/plans", { params: once(options), body: draft }))).plan;
  }

  async getPlan(planId: string): Promise<Plan> {
    return (await data(this.http.GET("/api/v1/plans/{planId}", { params: { path: { planId } } }))).plan;
  }

  async updatePlan(planId: string, patch: Schemas["PlanPatch"], options: ChangeOptions = {}): Promise<Plan> {
    const params = { path: { planId }, ...once(options) };
    return (await data(this.http.PATCH("/api/v1/plans/{planId}", { params, body: patch }))).plan;
  }

  async deletePlan(planId: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.DELETE("/api/v1/plans/{planId}", { params: { path: { planId }, ...once(options) } });
  }

  // ---- keys ----

  listKeys(query: Query<"listManagedKeys"> = {}): Promise<Schemas["ManagedKeyList"]> {
    return data(this.http.GET("/api/v1/api_keys", { params: { query } }));
  }

  /** All keys, newest first, page by page. */
  async *keys(query: Query<"listManagedKeys"> = {}): AsyncGenerator<ManagedKeyItem> {
    for (let page = query; ; ) {
      const list = await this.listKeys(page);
      yield* list.api_keys;
      const last = list.api_keys.at(-1);
      if (!list.has_more || last === undefined) return;
      page = { ...page, starting_after: last.id };
    }
  }

  /** Keys that want looking after, and why, the oldest first, page by page. */
  async *report(
    query: Query<"reportManagedKeys"> = {},
  ): AsyncGenerator<Schemas["ManagedKeyReport"]["api_keys"][number]> {
    for (let page = query; ; ) {
      const report = await data(this.http.GET("/api/v1/api_keys/report", { params: { query: page } }));
      yield* report.api_keys;
      if (report.next_after === null) return;
      page = { ...page, starting_after: report.next_after };
    }
  }

  async createKey(draft: ManagedKeyDraft, options: ChangeOptions = {}): Promise<KeySecret> {
    return (await data(this.http.POST("/api/v1/api_keys", { params: once(options), body: draft }))).api_key;
  }

  async getKey(keyId: string): Promise<ManagedKey> {
    return (await data(this.http.GET("/api/v1/api_keys/{keyId}", { params: { path: { keyId } } }))).api_key;
  }

  /** A new secret for the same key; the old one fails at once, or after `overlap_seconds`. */
  async rotateKey(
    keyId: string,
    rotation: Schemas["ManagedRotation"] = {},
    options: ChangeOptions = {},
  ): Promise<KeySecret> {
    const params = { path: { keyId }, ...once(options) };
    return (await data(this.http.PUT("/api/v1/api_keys/{keyId}", { params, body: rotation }))).api_key;
  }

  async updateKey(keyId: string, patch: Schemas["ManagedKeyPatch"], options: ChangeOptions = {}): Promise<void> {
    const params = { path: { keyId }, ...once(options) };
    await this.http.PATCH("/api/v1/api_keys/{keyId}", { params, body: patch });
  }

  /** For good; the record stays. */
  async revokeKey(keyId: string, options: ChangeOptions = {}): Promise<void> {
    await this.http.DELETE("/api/v1/api_keys/{keyId}", { params: { path: { keyId }, ...once(options) } });
  }

  /** All that fit: one organization's, one API's, those made before a time. */
  revokeKeys(filter: Schemas["KeysToRevoke"]): Promise<Schemas["RevokedKeys"]> {
    return data(this.http.POST("/api/v1/api_keys/revoke", { body: filter }));
  }

  /** Keys of another system, 10,000 at most: all of them or none. */
  importKeys(batch: Schemas["ManagedKeyImport"], options: ChangeOptions = {}): Promise<Schemas["ManagedKeysImported"]> {
    return data(this.http.POST("/api/v1/api_keys/import", { params: once(options), body: batch }));
  }

  /** Judge somebody's key: look at `is_valid`. In front of an API of your own use a Verifier. */
  verifyKey(question: Schemas["KeyToVerify"], signal?: AbortSignal): Promise<VerifiedKey> {
    return data(this.http.POST("/api/v1/api_keys/verify", { body: question, ...(signal ? { signal } : {}) }));
  }
}

async function* all<List extends { next_token: string | null }, Item>(
  read: (page: { next_token?: string }) => Promise<List>,
  items: (list: List) => Item[],
): AsyncGenerator<Item> {
  for (let token: string | undefined; ; ) {
    const list = await read(token === undefined ? {} : { next_token: token });
    yield* items(list);
    if (list.next_token === null) return;
    token = list.next_token;
  }
}

export function createManagement(options: ManagementOptions): Management {
  return new Management(options);
}
