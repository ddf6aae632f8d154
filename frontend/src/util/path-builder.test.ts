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
      job: href(pb.job('default', job)),
      jobZoomed: href(pb.job('default', job, { axis: 'step', from: 10, to: 20 })),
      jobLine: href(pb.job('default', job, { tab: 'logs', line: 12 })),
      jobs: href(pb.jobs('default')),
      jobsFailed: href(pb.jobs('default', { state: ['failed'], ended: 'today', order: '-name' })),
      newJob: href(pb.newJob('default', { recipe: 'image_classification', dataset: 'digits@1' })),
      clone: href(pb.newJob('default', { clone: job })),
      datasets: href(pb.datasets('default')),
      dataset: href(pb.dataset('default', 'digits', { version: 2, tab: 'files' })),
      models: href(pb.models('default', { name: 'dig' })),
      model: href(pb.model('default', 'digits', { version: 2, compare: 1 })),
      reference: served.reference,
      wholeLog: served.wholeLog('default', job),
      wholeLogOfRun: served.wholeLog('default', job, 2),
    }).toMatchInlineSnapshot(`
      {
        "clone": "/projects/default/jobs/new?clone=0199c0de-0000-7000-8000-000000000001",
        "dataset": "/projects/default/datasets/digits?version=2&tab=files",
        "datasets": "/projects/default/datasets",
        "home": "/projects/default",
        "job": "/projects/default/jobs/0199c0de-0000-7000-8000-000000000001",
        "jobLine": "/projects/default/jobs/0199c0de-0000-7000-8000-000000000001?tab=logs&line=12",
        "jobZoomed": "/projects/default/jobs/0199c0de-0000-7000-8000-000000000001?axis=step&from=10&to=20",
        "jobs": "/projects/default/jobs",
        "jobsFailed": "/projects/default/jobs?state=%5B%22failed%22%5D&ended=today&order=-name",
        "model": "/projects/default/models/digits?version=2&compare=1",
        "models": "/projects/default/models?name=dig",
        "newJob": "/projects/default/jobs/new?recipe=image_classification&dataset=digits%401",
        "reference": "/api/v1/docs/",
        "root": "/",
        "signIn": "/sign-in",
        "signInAndBack": "/sign-in?next=%2Fprojects%2Fdefault",
        "wholeLog": "/api/v1/projects/default/jobs/0199c0de-0000-7000-8000-000000000001/log/raw",
        "wholeLogOfRun": "/api/v1/projects/default/jobs/0199c0de-0000-7000-8000-000000000001/log/raw?run=2",
      }
    `)
  })
})
