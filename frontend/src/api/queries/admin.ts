/** People, what they may do, their tokens, and what was remembered of it. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { body, client } from '../client'
import type { Role, Scope } from '../types'

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) =>
    body(client.GET('/api/v1/tokens', { params: { query: { limit: 200 } }, signal })),
})

export const createToken = (wanted: { name: string; scopes: Scope[]; expires_in_days: number }) =>
  body(client.POST('/api/v1/tokens', { body: wanted }))

export const revokeToken = (id: string) =>
  body(client.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } }))

export const changePassword = (wanted: { current: string; password: string }) =>
  body(client.PUT('/api/v1/session/password', { body: wanted }))

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) =>
    body(client.GET('/api/v1/users', { params: { query: { limit: 200 } }, signal })),
})

export const createUser = (wanted: { username: string; is_operator: boolean }) =>
  body(client.POST('/api/v1/users', { body: wanted }))

export const makeSignInLink = (id: string) =>
  body(client.POST('/api/v1/users/{id}/sign-in-link', { params: { path: { id } } }))

export const membersQuery = (project: string) =>
  queryOptions({
    queryKey: ['members', project],
    queryFn: ({ signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/members', {
          params: { path: { slug: project }, query: { limit: 200 } },
          signal,
        }),
      ),
  })

export const addMember = (project: string, wanted: { username: string; role: Role }) =>
  body(
    client.POST('/api/v1/projects/{slug}/members', {
      params: { path: { slug: project } },
      body: wanted,
    }),
  )

export const changeRole = (project: string, user_id: string, role: Role) =>
  body(
    client.PATCH('/api/v1/projects/{slug}/members/{user_id}', {
      params: { path: { slug: project, user_id } },
      body: { role },
    }),
  )

export const removeMember = (project: string, user_id: string) =>
  body(
    client.DELETE('/api/v1/projects/{slug}/members/{user_id}', {
      params: { path: { slug: project, user_id } },
    }),
  )

export const chainQuery = queryOptions({
  queryKey: ['audit-chain'],
  queryFn: ({ signal }) => body(client.GET('/api/v1/audit/chain', { signal })),
})

export const auditQuery = (project: string, action: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['audit', project, action ?? ''],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET('/api/v1/projects/{slug}/audit', {
          params: { path: { slug: project }, query: { limit: 100, cursor: pageParam, action } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })
