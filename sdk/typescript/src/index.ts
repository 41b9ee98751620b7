export * from "./client.js";
export * from "./management.js";
export * from "./verifier.js";
export * from "./middleware.js";
export type { ChangeOptions, ConnectionOptions, Token } from "./connection.js";
export { SallyportError, type MemberError } from "./error.js";
export type { RetryOptions } from "./retry.js";
export { errors, scopes, type ErrorCode, type Scope } from "./errors.generated.js";
export type { components, operations, paths } from "./schema.generated.js";
