/** The only place that speaks HTTP. */
import createClient, { type Middleware } from 'openapi-fetch'
import type { paths } from './__generated__/schema'
import { ApiProblem, type Problem, Unreachable } from './errors'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Sessions travel in a cookie, so every change proves that it comes from our own page. */
const proveOrigin: Middleware = {
  onRequest({ request }) {
    const token = cookie('csrftoken')
    if (token && !SAFE.has(request.method)) request.headers.set('X-CSRFToken', token)
    // the server's own words come in the page's language, whatever the browser's is
    request.headers.set('Accept-Language', document.documentElement.lang)
    return request
  },
  onError({ error }) {
    return error instanceof Error && error.name === 'AbortError' ? error : new Unreachable(error)
  },
}

export const client = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: 'same-origin',
  // looked up at each call, so that a test can replace it
  fetch: (request) => globalThis.fetch(request),
})
client.use(proveOrigin)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The body of a good answer; a refusal is thrown as an `ApiProblem`. */
export async function body<T>(asked: Promise<Answer<T>>): Promise<T> {
  return (await whole(asked)).data
}

/** The same, with what came around it. */
export async function whole<T>(
  asked: Promise<Answer<T>>,
): Promise<{ data: T; response: Response }> {
  const { data, error, response } = await asked
  if (!response.ok) throw new ApiProblem(response.status, asProblem(error))
  return { data: data as T, response }
}

function asProblem(error: unknown): Problem {
  // a proxy in between may answer with a page of its own
  return typeof error === 'object' && error !== null ? error : {}
}

function cookie(name: string): string | undefined {
  const pair = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`))
  return pair && decodeURIComponent(pair.slice(name.length + 1))
}
