/** Bytes on their way up. */
import { body, client } from '../client'
import { ApiProblem } from '../errors'

const CHUNK_BYTES = 4 * 1024 * 1024

/** Send a file whole; answers the finished upload's id. `told` hears how far it is, 0 to 1. */
export async function uploadFile(
  project: string,
  file: File,
  told: (share: number) => void,
): Promise<string> {
  const upload = await body(
    client.POST('/api/v1/projects/{slug}/uploads', {
      params: { path: { slug: project } },
      body: { filename: file.name, size: file.size, digest: '' },
    }),
  )
  for (let at = 0; upload.url !== null && at < file.size; at += CHUNK_BYTES) {
    const answer = await globalThis.fetch(
      new Request(new URL(upload.url, window.location.origin), {
        method: 'PATCH',
        headers: {
          'Upload-Offset': String(at),
          'Content-Type': 'application/offset+octet-stream',
        },
        body: file.slice(at, at + CHUNK_BYTES),
      }),
    )
    if (!answer.ok) throw new ApiProblem(answer.status, await answer.json().catch(() => ({})))
    told(Math.min(1, (at + CHUNK_BYTES) / file.size))
  }
  await body(
    client.POST('/api/v1/projects/{slug}/uploads/{id}/finish', {
      params: { path: { slug: project, id: upload.id } },
    }),
  )
  return upload.id
}
