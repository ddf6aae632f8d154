/** What the tests know of the installation, and the API as a program uses it. */
import { type APIRequestContext, expect } from '@playwright/test'

function required(name: string): string {
  const value = process.env[name]
  if (!value)
    throw new Error(`${name} must name the installation to test; see playwright.config.ts`)
  return value
}

/** Good for one sign-in: the others make themselves a link with `signInLink`. */
export const signInUrl = () => required('DATAHALL_SIGN_IN_URL')

const headers = () => ({ Authorization: `Bearer ${required('DATAHALL_TOKEN')}` })
const PROJECT = '/projects/default'

/** A name that no other test and no earlier run of this one has used. */
export const fresh = (word: string) => `${word}-${Date.now().toString(36)}`

export async function get(api: APIRequestContext, path: string) {
  const answer = await api.get(`/api/v1${path}`, { headers: headers() })
  expect(answer.ok(), `GET ${path}: ${answer.status()} ${await answer.text()}`).toBe(true)
  return answer.json()
}

export async function post(api: APIRequestContext, path: string, data: object = {}) {
  const answer = await api.post(`/api/v1${path}`, { headers: headers(), data })
  expect(answer.ok(), `POST ${path}: ${answer.status()} ${await answer.text()}`).toBe(true)
  return answer.json()
}

/** Upload a script and submit it; answers the job's id. */
export async function submitScript(
  api: APIRequestContext,
  name: string,
  script: string,
): Promise<string> {
  const code = Buffer.from(script)
  const upload = await post(api, `${PROJECT}/uploads`, { filename: 'work.py', size: code.length })
  const sent = await api.patch(upload.url, { headers: { 'Upload-Offset': '0' }, data: code })
  expect(sent.status(), await sent.text()).toBe(204)
  await post(api, `${PROJECT}/uploads/${upload.id}/finish`)
  const job = await post(api, `${PROJECT}/jobs`, {
    kind: 'script',
    name,
    code: upload.id,
    entrypoint: 'work.py',
    resources: { cpu_millis: 200 },
  })
  return job.id
}

export const stopJob = (api: APIRequestContext, id: string) =>
  post(api, `${PROJECT}/jobs/${id}/stop`)

/** A link that signs the operator in, once. */
export async function signInLink(api: APIRequestContext): Promise<string> {
  const { results } = await get(api, '/users')
  const operator = results.find((user: { is_operator: boolean }) => user.is_operator)
  const { sign_in_url } = await post(api, `/users/${operator.id}/sign-in-link`)
  return sign_in_url
}

/** Somebody new with a role in one project; a link that signs them in, once. */
export async function newPerson(
  api: APIRequestContext,
  role: string,
  project = 'default',
): Promise<string> {
  const username = fresh(role)
  const { sign_in_url } = await post(api, '/users', { username })
  await post(api, `/projects/${project}/members`, { username, role })
  return sign_in_url
}

/** A project with nothing in it; its short name. */
export async function newProject(api: APIRequestContext, word: string): Promise<string> {
  const slug = fresh(word)
  await post(api, '/projects', { slug, name: word })
  return slug
}
