import { describe, expect, it } from 'vitest'
import { endpointCan, jobCan } from './can'
import type { Job, Project } from './types'

const project = (role: Project['role']): Project => ({
  id: 'p',
  slug: 'default',
  name: 'Default',
  role,
})
const job = (state: Job['state'], stop_asked_at: string | null = null) =>
  ({ state, stop_asked_at }) as Job

describe('jobCan.stop', () => {
  it('lets a member stop what has not ended', () => {
    for (const state of ['queued', 'running', 'paused'] as const) {
      expect(jobCan.stop(job(state), project('member')), state).toBeUndefined()
    }
  })

  it.each([
    ['a viewer', job('running'), project('viewer'), 'can.needs_member'],
    ['what has ended', job('failed'), project('owner'), 'can.job_over'],
    ['what is stopping', job('running', '2030-01-01'), project('owner'), 'can.job_stopping'],
  ])('tells why not: %s', (_, one, where, why) => {
    expect(jobCan.stop(one, where)).toBe(why)
  })
})

describe('jobCan.submit and clone', () => {
  it('let a member', () => {
    expect(jobCan.submit(project('member'))).toBeUndefined()
    expect(jobCan.clone({ kind: 'train' }, project('member'))).toBeUndefined()
  })

  it('tell why not', () => {
    expect(jobCan.submit(project('viewer'))).toBe('can.needs_member')
    expect(jobCan.clone({ kind: 'script' }, project('viewer'))).toBe('can.needs_member')
    expect(jobCan.clone({ kind: 'import' }, project('owner'))).toBe('can.job_of_upload')
  })
})

describe('endpointCan', () => {
  it('lets a member change it and make keys, and a maintainer end it', () => {
    expect(endpointCan.change(project('member'))).toBeUndefined()
    expect(endpointCan.makeKey(project('member'))).toBeUndefined()
    expect(endpointCan.remove(project('maintainer'))).toBeUndefined()
    expect(endpointCan.revokeKey({ revoked_at: null }, project('member'))).toBeUndefined()
  })

  it('tells why not', () => {
    expect(endpointCan.change(project('viewer'))).toBe('can.needs_member')
    expect(endpointCan.remove(project('member'))).toBe('can.needs_maintainer')
    expect(endpointCan.revokeKey({ revoked_at: null }, project('viewer'))).toBe('can.needs_member')
    expect(endpointCan.revokeKey({ revoked_at: '2030-01-01' }, project('owner'))).toBe(
      'endpoints.key_revoked_already',
    )
  })
})
