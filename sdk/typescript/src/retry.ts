/** How often and how long a call is tried again; all have defaults. */
export interface RetryOptions {
  /** Tries after the first one; 0: none. Default 2. */
  retries?: number | undefined;
  /** A server that asks for a longer pause is not asked again; its answer is thrown. Default 30. */
  maxRetryWaitSeconds?: number | undefined;
}

export type Fetch = (request: Request) => Promise<Response>;

const FIRST_PAUSE_MS = 250;

/** A text that nobody else has sent. It is no secret. */
export function newIdempotencyKey(): string {
  const uuid = (globalThis as { crypto?: { randomUUID?: () => string } }).crypto?.randomUUID?.();
  if (uuid !== undefined) return uuid;
  const part = (): string => Math.random().toString(36).slice(2).padEnd(12, "0");
  return `${Date.now().toString(36)}-${part()}-${part()}`;
}

/** Carried out twice, the request does what it did once. */
function isSafeTwice(request: Request): boolean {
  return request.method === "GET" || request.method === "HEAD" || request.headers.has("idempotency-key");
}

/** Seconds, or a date (RFC 9110 section 10.2.3). */
export function retryAfter(field: string | null): number | undefined {
  if (field === null) return undefined;
  if (/^\d+$/.test(field)) return Number(field);
  const at = Date.parse(field);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000));
}

/** 429: it was not carried out. 503 and a gateway's 502 or 504: nobody knows. 409: the first is running. */
function isWorthAnother(request: Request, response: Response): boolean {
  switch (response.status) {
    case 429:
      return true;
    case 409:
      return response.headers.has("retry-after") && isSafeTwice(request);
    case 502:
    case 503:
    case 504:
      return isSafeTwice(request);
    default:
      return false;
  }
}

/** Twice as long each time, and never the same for two callers. */
const pause = (attempt: number): number => FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random() / 2);

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** `fetch`, tried again where that can do no harm. */
export function retrying(fetch: Fetch, options: RetryOptions): Fetch {
  const retries = options.retries ?? 2;
  const longestMs = (options.maxRetryWaitSeconds ?? 30) * 1000;

  return async (first) => {
    let request = first;
    for (let attempt = 0; ; attempt++) {
      const again = attempt < retries ? request.clone() : undefined; // before its body is read
      let waitMs = pause(attempt);
      try {
        const response = await fetch(request);
        if (again === undefined || !isWorthAnother(request, response)) return response;
        waitMs = Math.max(waitMs, 1000 * (retryAfter(response.headers.get("retry-after")) ?? 0));
        if (waitMs > longestMs) return response;
        await response.body?.cancel();
      } catch (error) {
        // The network: the request may have arrived.
        if (again === undefined || first.signal.aborted || !isSafeTwice(request)) throw error;
      }
      await sleep(waitMs, first.signal);
      request = again;
    }
  };
}
