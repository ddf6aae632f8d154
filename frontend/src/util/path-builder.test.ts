import { QueryClient } from '@tanstack/react-query'
import { describe, expect, it } from 'vitest'
import { createConsoleRouter } from '@/routes'
import { pb, served } from './path-builder'

describe('addresses', () => {
  const router = createConsoleRouter(new QueryClient())
  const href = (to: object) => router.buildLocation(to as never).href

  it('are spelled like this', () => {
    const job = '0199c0de-0000-7000-8000-000000000001'

    expect({
      root: href(pb.root()),
      signIn: href(pb.signIn()),
      signInAndBack: href(pb.signIn('/projects/default')),
      home: href(pb.home('default')),
      homeOfJob: href(pb.home('default', { job })),
      homeZoomed: href(pb.home('default', { job, from: 10, to: 20 })),
      reference: served.reference,
      wholeLog: served.wholeLog('default', job),
    }).toMatchInlineSnapshot(`
      {
        "home": "/projects/default",
        "homeOfJob": "/projects/default?job=0199c0de-0000-7000-8000-000000000001",
        "homeZoomed": "/projects/default?job=0199c0de-0000-7000-8000-000000000001&from=10&to=20",
        "reference": "/api/v1/docs/",
        "root": "/",
        "signIn": "/sign-in",
        "signInAndBack": "/sign-in?next=%2Fprojects%2Fdefault",
        "wholeLog": "/api/v1/projects/default/jobs/0199c0de-0000-7000-8000-000000000001/log/raw",
      }
    `)
  })
})
