export * from "./client.js";
export { SallyportError, type MemberError } from "./error.js";
export type { RetryOptions } from "./retry.js";
export { errors, scopes, type ErrorCode, type Scope } from "./errors.generated.js";
export type { components, operations, paths } from "./schema.generated.js";
