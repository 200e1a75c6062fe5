/** Why a request failed, in a shape that views can show and code can tell apart. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** HTTP status; 0 when no answer arrived. */
    readonly status: number,
    /** The problem document's stable code, or `network` or `unknown`. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** True when the same request may work later or may even have worked already. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const FALLBACK: Record<number, string> = {
  401: 'Please log in again.',
  402: 'Your plan does not allow this now.',
  404: 'This is not here, or not yours.',
  413: 'That is too large.',
  429: 'Too many requests; wait a moment.',
  503: 'A part of the server is not ready; try again in a moment.',
};

/** Reads an error answer: `application/problem+json` or anything else. */
export async function problemFrom(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const problem = isRecord(body) ? body : {};
  const detail = text(problem.detail) ?? text(problem.title) ?? FALLBACK[response.status];
  return new ApiError(
    response.status,
    text(problem.code) ?? 'unknown',
    detail ?? `The server answered ${response.status}.`,
  );
}

/** Whether another plan, or paying, would have let it through. */
export function needsPlan(error: unknown): boolean {
  return error instanceof ApiError && error.status === 402;
}

/** A sentence for a person about anything that was thrown. */
export function describe(error: unknown): string {
  return error instanceof ApiError ? error.message : 'Something went wrong. Try again.';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
