/** What the tests know of the installation, and the API as a program uses it. */
import { type APIRequestContext, expect } from '@playwright/test'

function required(name: string): string {
  const value = process.env[name]
  if (!value)
    throw new Error(`${name} must name the installation to test; see playwright.config.ts`)
  return value
}

export const signInUrl = () => required('DATAHALL_SIGN_IN_URL')

const headers = () => ({ Authorization: `Bearer ${required('DATAHALL_TOKEN')}` })
const PROJECT = '/api/v1/projects/default'

/** Upload a script and submit it; answers the job's id. */
export async function submitScript(
  api: APIRequestContext,
  name: string,
  script: string,
): Promise<string> {
  const code = Buffer.from(script)
  const post = async (path: string, data: object) => {
    const answer = await api.post(`${PROJECT}${path}`, { headers: headers(), data })
    expect(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`).toBe(true)
    return answer.json()
  }
  const upload = await post('/uploads', { filename: 'work.py', size: code.length })
  const sent = await api.patch(upload.url, { headers: { 'Upload-Offset': '0' }, data: code })
  expect(sent.status(), await sent.text()).toBe(204)
  await post(`/uploads/${upload.id}/finish`, {})
  const job = await post('/jobs', { kind: 'script', name, code: upload.id, entrypoint: 'work.py' })
  return job.id
}
