import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Depot } from '../../test/depot'
import { ApiProblem } from './errors'
import { FileGone, FileUpload, forgetExpired, PART_BYTES, uploadFile } from './upload'

const MIB = 1024 * 1024
const soon = () => 0

const fileOf = (size: number, name = 'cats.zip') =>
  new File([new Uint8Array(size).map((_, i) => i % 251)], name, { lastModified: 1 })

const upload = (file: File) => new FileUpload('default', file, file.name, soon)

describe('FileUpload', () => {
  let depot: Depot
  beforeEach(() => {
    depot = new Depot()
  })

  it('sends a file in parts that grow, none larger than the most', async () => {
    const file = fileOf(20 * MIB)
    const one = upload(file)
    const seen: number[] = []
    one.onChange = () => seen.push(one.sent)

    await one.start()

    expect(one.state).toBe('done')
    expect(Buffer.compare(depot.only.bytes, Buffer.from(await file.arrayBuffer()))).toBe(0)
    expect(depot.only.finished).toBe(true)
    expect(Math.max(...depot.parts)).toBe(PART_BYTES)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).toBe(file.size)
  })

  it('needs no part for a file of no bytes', async () => {
    await upload(fileOf(0)).start()
    expect(depot.only.finished).toBe(true)
    expect(depot.parts).toEqual([])
  })

  it('goes on by itself after a broken connection, where the server stands', async () => {
    depot.breakAfter = 1.5 * MIB // in the middle of the second part
    const one = upload(fileOf(5 * MIB))
    const states = new Set<string>()
    one.onChange = () => states.add(one.state)

    await one.start()

    expect(states).toContain('retrying')
    expect(one.state).toBe('done')
    expect(depot.received).toBe(5 * MIB) // nothing was sent twice
  })

  it('takes the offset that the server names when it stands elsewhere', async () => {
    depot.refuseOnce(409, { code: 'wrong_offset' }, { 'Upload-Offset': '3000000' })
    depot.skipTo = 3_000_000
    const one = upload(fileOf(5 * MIB))
    await one.start()
    expect(one.state).toBe('done')
    expect(depot.received).toBe(5 * MIB - 3_000_000)
  })

  it('asks with HEAD when a stalled upload does not say where it stands', async () => {
    depot.refuseOnce(408, { code: 'upload_stalled' })
    depot.skipTo = 2_000_000
    const one = upload(fileOf(5 * MIB))
    await one.start()
    expect(one.state).toBe('done')
    expect(depot.asked).toContain('HEAD')
  })

  it('asks for a fresh address when the old one has expired', async () => {
    depot.refuseOnce(403, { code: 'ticket_expired' })
    const one = upload(fileOf(MIB))
    await one.start()
    expect(one.state).toBe('done')
  })

  it.each([
    [413, 'too_many_bytes'],
    [422, 'digest_mismatch'],
    [507, 'store_full'],
  ])('rests at a refusal that trying does not move: %s', async (status, code) => {
    depot.refuseOnce(status, { code })
    const one = upload(fileOf(MIB))

    await one.start()

    expect(one.state).toBe('failed')
    expect((one.error as ApiProblem).code).toBe(code)
    // the person made room, and lets it go on
    one.hold()
    await one.start()
    expect(one.state).toBe('done')
  })

  it('says when the file is not there any more', async () => {
    const file = fileOf(MIB)
    vi.spyOn(file, 'slice').mockReturnValue({
      arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')),
    } as unknown as Blob)
    const one = upload(file)
    await one.start()
    expect(one.error).toBeInstanceOf(FileGone)
  })

  it('rests while paused and goes on where it was', async () => {
    const one = upload(fileOf(5 * MIB))
    one.onChange = () => one.state === 'sending' && one.sent >= MIB && one.pause()
    await one.start()
    expect(one.state).toBe('paused')
    const before = one.sent
    expect(before).toBeLessThan(5 * MIB)

    one.onChange = null
    await one.start()

    expect(one.state).toBe('done')
    expect(depot.received).toBe(5 * MIB)
  })

  it('goes on after a reload when the same file is picked again', async () => {
    const first = upload(fileOf(5 * MIB))
    first.onChange = () => first.sent >= MIB && first.pause()
    await first.start()

    // another page: only what the browser remembers is left
    const second = upload(fileOf(5 * MIB))
    await second.start()

    expect(second.state).toBe('done')
    expect(depot.uploads.size).toBe(1)
    expect(depot.received).toBe(5 * MIB)
  })

  it('begins again when the server has forgotten the upload', async () => {
    const first = upload(fileOf(5 * MIB))
    first.onChange = () => first.sent >= MIB && first.pause()
    await first.start()
    depot.uploads.clear()

    const second = upload(fileOf(5 * MIB))
    await second.start()

    expect(second.state).toBe('done')
    expect(second.id).not.toBe(first.id)
  })

  it('is another upload when the file was changed in between', async () => {
    await upload(fileOf(MIB)).start()
    await upload(fileOf(2 * MIB)).start()
    expect(depot.uploads.size).toBe(2)
  })

  it('remembers for as long as the server does', async () => {
    await upload(fileOf(MIB)).start()
    forgetExpired(Date.now() + 4 * 86_400_000)
    await upload(fileOf(MIB)).start()
    expect(depot.uploads.size).toBe(2)
  })

  it('stays cancelled', async () => {
    const one = upload(fileOf(5 * MIB))
    one.onChange = () => one.sent >= MIB && one.cancel()
    await one.start()
    expect(one.state).toBe('cancelled')
    expect(depot.only.finished).toBe(false)
  })
})

describe('uploadFile', () => {
  it('gives the upload’s identifier and tells how far it is', async () => {
    const depot = new Depot()
    const shares: number[] = []
    const id = await uploadFile('default', fileOf(2 * MIB), { onProgress: (s) => shares.push(s) })
    expect(id).toBe([...depot.uploads.keys()][0])
    expect(shares.at(-1)).toBe(1)
  })

  it('throws the refusal', async () => {
    new Depot().refuseOnce(507, { code: 'store_full' })
    await expect(uploadFile('default', fileOf(MIB))).rejects.toBeInstanceOf(ApiProblem)
  })
})
