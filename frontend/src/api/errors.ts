/** A refusal by the server: RFC 9457, with a code that the pages render in the reader's language. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  code?: string
  params?: Record<string, unknown>
  errors?: { field: string; code: string; detail: string }[]
}

export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly params: Record<string, unknown>
  readonly fields: NonNullable<Problem['errors']>

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`)
    this.name = 'ApiProblem'
    this.status = status
    this.code = problem.code ?? `http_${status}`
    this.params = problem.params ?? {}
    this.fields = problem.errors ?? []
  }

  /** Whether signing in again is what helps. */
  get signedOut(): boolean {
    return this.status === 401
  }
}

/** The server could not be asked at all. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server does not answer.', { cause })
    this.name = 'Unreachable'
  }
}

/** Worth another try by itself: the same question may be answered in a moment. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiProblem && error.status >= 500)
}
