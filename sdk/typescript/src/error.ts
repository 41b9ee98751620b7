import { errors, type ErrorCode } from "./errors.generated.js";
import { retryAfter } from "./retry.js";
import type { components } from "./schema.generated.js";

export type MemberError = components["schemas"]["MemberError"];

/** The members of a problem that every code has; all others are in `members`. */
const common = ["type", "title", "status", "detail", "instance", "code", "requestId", "hint", "message", "request_id"];

/** A refusal by the server. Errors of the network itself are thrown as `fetch` throws them. */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  /** The HTTP status. */
  readonly status: number;
  /** What a program should look at. A newer server may send codes that this version does not list. */
  readonly code: ErrorCode;
  /** The same for every error of this code. */
  readonly title: string;
  /** What happened this time. */
  readonly detail: string;
  /** What to do now. */
  readonly hint: string;
  /** Names the request in the server's log. */
  readonly requestId: string;
  /** How long to wait before the next attempt, if the server says so. */
  readonly retryAfterSeconds: number | undefined;
  /** What the code has beside the above: errors, requiredScopes, keyScopes, supportedVersions … */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, headers: Headers, problem: Record<string, unknown>) {
    const text = (name: string, otherwise: string): string =>
      typeof problem[name] === "string" ? (problem[name] as string) : otherwise;
    const code = text("code", "INTERNAL_ERROR");

    super(`${code}: ${text("detail", text("title", `status ${status}`))}`);
    this.status = status;
    this.code = code as ErrorCode;
    this.title = text("title", code);
    this.detail = text("detail", "");
    this.hint = text("hint", "");
    this.requestId = text("requestId", headers.get("x-request-id") ?? "");
    this.retryAfterSeconds = retryAfter(headers.get("retry-after"));
    this.members = Object.fromEntries(Object.entries(problem).filter(([name]) => !common.includes(name)));
  }

  /** The members or rows that are not valid. */
  get errors(): readonly MemberError[] {
    return Array.isArray(this.members["errors"]) ? (this.members["errors"] as MemberError[]) : [];
  }

  /** Does this version of the SDK know the code? */
  get isKnown(): boolean {
    return this.code in errors;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Calls under /api/v1 are refused with {"errors":[{"code","message", …}]}; as a problem. */
function problemOf(body: unknown): Record<string, unknown> {
  if (!isObject(body)) return {};
  const first: unknown = Array.isArray(body["errors"]) && !("code" in body) ? body["errors"][0] : undefined;
  return isObject(first) ? { ...first, title: first["message"], requestId: first["request_id"] } : body;
}

/** The error of an answer that is not a success. */
export async function errorOf(response: Response): Promise<SallyportError> {
  let body: unknown;
  try {
    body = JSON.parse(await response.text());
  } catch {
    body = { title: `status ${response.status}, and no problem body: is this a sallyport server?` };
  }
  return new SallyportError(response.status, response.headers, problemOf(body));
}
