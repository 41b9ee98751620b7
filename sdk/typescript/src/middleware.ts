/**
 * A Verifier in front of handlers of Express, Fastify and the fetch API. The parts of the frameworks
 * that are used are written down here, so that none of them is needed by those who use another.
 */
import { missingScopes, wrongOrganization, type Access, type Refusal, type Verifier } from "./verifier.js";

const accesses = new WeakMap<object, Access>();

/** Who calls, of a request that has passed verifyKey(). */
export function accessOf(request: object): Access {
  const access = accesses.get(request);
  if (access === undefined) throw new Error("verifyKey() has not run for this request: put it before what asks who calls");
  return access;
}

/** All fields Authorization of a request of Node, which by itself keeps the first. */
function authorizationOf(request: { rawHeaders: readonly string[] }): string[] {
  return request.rawHeaders.filter((_, at, all) => at % 2 === 1 && all[at - 1]!.toLowerCase() === "authorization");
}

/** An endpoint for no scope at all would be open to every key, and its author thinks otherwise. */
function checkScopes(scopes: readonly string[]): void {
  if (scopes.length === 0) throw new TypeError("requireScopes() names the scopes that are needed; none was given");
}

// ---- Express ----

interface ExpressRequest {
  rawHeaders: readonly string[];
  ip?: string | undefined;
}
interface ExpressResponse {
  status(code: number): ExpressResponse;
  set(fields: Record<string, string>): ExpressResponse;
  json(body: unknown): unknown;
}
type ExpressHandler<R = ExpressRequest> = (request: R, response: ExpressResponse, next: (error?: unknown) => void) => void;

/**
 * app.use(guard.verifyKey()); app.get("/orders", guard.requireScopes("read:orders"), …). The
 * client's address is `request.ip`: set `trust proxy` where there is a proxy before the app.
 */
export function forExpress(verifier: Verifier): {
  verifyKey(): ExpressHandler;
  requireScopes(...scopes: string[]): ExpressHandler;
  requireOrganization<R extends ExpressRequest>(wanted?: (request: R) => string | undefined): ExpressHandler<R>;
} {
  const answer = (response: ExpressResponse, { status, fields, body }: Refusal): void =>
    void response.status(status).set({ ...fields }).json(body);
  const demand =
    <R extends ExpressRequest>(check: (access: Access, request: R) => Refusal | undefined): ExpressHandler<R> =>
    (request, response, next) => {
      const refusal = check(accessOf(request), request);
      if (refusal) answer(response, refusal);
      else next();
    };
  return {
    verifyKey: () => (request, response, next) => {
      verifier.check(authorizationOf(request), request.ip).then(({ access, refusal }) => {
        if (refusal) return answer(response, refusal);
        accesses.set(request, access);
        next();
      }, next);
    },
    requireScopes: (...scopes) => {
      checkScopes(scopes);
      return demand((access) => missingScopes(access, scopes));
    },
    requireOrganization: (wanted) => demand((access, request) => demandOrganization(access, request, wanted)),
  };
}

// ---- Fastify ----

interface FastifyRequest {
  raw: { rawHeaders: readonly string[] };
  ip: string;
}
interface FastifyReply {
  code(status: number): FastifyReply;
  headers(fields: Record<string, string>): FastifyReply;
  send(body: unknown): unknown;
}
type FastifyHook<R = FastifyRequest> = (request: R, reply: FastifyReply) => Promise<unknown>;

/**
 * app.addHook("onRequest", guard.verifyKey()); app.get("/orders", { onRequest:
 * guard.requireScopes("read:orders") }, …). The client's address is `request.ip`: set `trustProxy`
 * where there is a proxy before the app.
 */
export function forFastify(verifier: Verifier): {
  verifyKey(): FastifyHook;
  requireScopes(...scopes: string[]): FastifyHook;
  requireOrganization<R extends FastifyRequest>(wanted?: (request: R) => string | undefined): FastifyHook<R>;
} {
  const answer = (reply: FastifyReply, { status, fields, body }: Refusal): unknown =>
    reply.code(status).headers({ ...fields }).send(body);
  const demand =
    <R extends FastifyRequest>(check: (access: Access, request: R) => Refusal | undefined): FastifyHook<R> =>
    async (request, reply) => {
      const refusal = check(accessOf(request), request);
      return refusal && answer(reply, refusal);
    };
  return {
    verifyKey: () => async (request, reply) => {
      const { access, refusal } = await verifier.check(authorizationOf(request.raw), request.ip);
      if (refusal) return answer(reply, refusal);
      accesses.set(request, access);
      return undefined;
    },
    requireScopes: (...scopes) => {
      checkScopes(scopes);
      return demand((access) => missingScopes(access, scopes));
    },
    requireOrganization: (wanted) => demand((access, request) => demandOrganization(access, request, wanted)),
  };
}

// ---- fetch ----

type FetchHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;
type FetchGuard = <Rest extends unknown[]>(handler: FetchHandler<Rest>) => (request: Request, ...rest: Rest) => Promise<Response>;

export interface FetchOptions {
  /** The end client's address, if the platform tells it: from a field that clients cannot set. */
  clientAddress?: ((request: Request) => string | null | undefined) | undefined;
}

/** guard.verifyKey()(guard.requireScopes("read:orders")(handler)), for Deno, Bun, Workers and the like. */
export function forFetch(
  verifier: Verifier,
  options: FetchOptions = {},
): {
  verifyKey(): FetchGuard;
  requireScopes(...scopes: string[]): FetchGuard;
  requireOrganization(wanted?: (request: Request) => string | undefined): FetchGuard;
} {
  const answer = ({ status, fields, body }: Refusal): Response => Response.json(body, { status, headers: { ...fields } });
  const demand =
    (check: (access: Access, request: Request) => Refusal | undefined): FetchGuard =>
    (handler) =>
    async (request, ...rest) => {
      const refusal = check(accessOf(request), request);
      return refusal ? answer(refusal) : handler(request, ...rest);
    };
  return {
    verifyKey:
      () =>
      (handler) =>
      async (request, ...rest) => {
        const field = request.headers.get("authorization");
        const client = options.clientAddress?.(request) ?? undefined;
        const { access, refusal } = await verifier.check(field === null ? [] : [field], client);
        if (refusal) return answer(refusal);
        accesses.set(request, access);
        return handler(request, ...rest);
      },
    requireScopes: (...scopes) => {
      checkScopes(scopes);
      return demand((access) => missingScopes(access, scopes));
    },
    requireOrganization: (wanted) => demand((access, request) => demandOrganization(access, request, wanted)),
  };
}

/** Where the request names an organization it must be the key's; one that it does not name is none. */
function demandOrganization<R>(access: Access, request: R, wanted?: (request: R) => string | undefined): Refusal | undefined {
  return wrongOrganization(access, wanted ? (wanted(request) ?? "") : undefined);
}
