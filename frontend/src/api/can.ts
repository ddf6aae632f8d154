/**
 * What a person may do to which object now, mirroring the server's rules, so that a button can say
 * why it cannot be pressed. The server has the last word; each line names where.
 */
import type { MessageKey } from '@/i18n/translate'
import type { DatasetVersion, EndpointKey, Job, Project, Role, Session } from './types'

export const ROLES: Role[] = ['viewer', 'member', 'maintainer', 'owner']

const atLeast = (role: Role, project: Project) => ROLES.indexOf(project.role) >= ROLES.indexOf(role)

/** The states in which a job is over: ENDED in apps/jobs/models.py. */
const ENDED = new Set<Job['state']>(['succeeded', 'failed', 'cancelled'])

export const hasEnded = (job: Pick<Job, 'state'>) => ENDED.has(job.state)

/** Undefined when it can be done, else the reason why not. */
type Verdict = MessageKey | undefined

/** What runs by itself after an upload is not asked for with the form. */
const SUBMITTED = new Set<string>(['train', 'script', 'evaluate'])

export const jobCan = {
  /** `needs` of JobViewSet in apps/jobs/api.py. */
  submit(project: Project): Verdict {
    return atLeast('member', project) ? undefined : 'can.needs_member'
  },

  /** SUBMITS in apps/jobs/api.py. */
  clone(job: Pick<Job, 'kind'>, project: Project): Verdict {
    if (!SUBMITTED.has(job.kind)) return 'can.job_of_upload'
    return this.submit(project)
  },

  /** `needs` of JobViewSet in apps/jobs/api.py; `stop_job` in apps/jobs/services.py. */
  stop(job: Job, project: Project): Verdict {
    if (!atLeast('member', project)) return 'can.needs_member'
    if (hasEnded(job)) return 'can.job_over'
    if (job.stop_asked_at) return 'can.job_stopping'
    return undefined
  },
}

export const memberCan = {
  /** `needs` of MemberViewSet in apps/projects/api.py. */
  change(project: Project): Verdict {
    return atLeast('maintainer', project) ? undefined : 'can.needs_maintainer'
  },
}

export const auditCan = {
  /** `needs` of AuditViewSet in apps/projects/api.py. */
  read(project: Project): Verdict {
    return atLeast('maintainer', project) ? undefined : 'can.needs_maintainer'
  },
}

export const datasetCan = {
  /** `needs` of DatasetViewSet in apps/datasets/api.py and of UploadViewSet in apps/artifacts/api.py. */
  upload(project: Project): Verdict {
    return atLeast('member', project) ? undefined : 'can.needs_member'
  },

  /** `_dataset` of apps/jobs/specs.py: a version is read only when it is ready. */
  train(version: Pick<DatasetVersion, 'state'>, project: Project): Verdict {
    if (version.state === 'importing') return 'datasets.train_importing'
    if (version.state === 'failed') return 'datasets.train_failed'
    return jobCan.submit(project)
  },
}

export const nodeCan = {
  /** `needs` of NodeViewSet and JoinTokenViewSet in apps/fleet/api.py. */
  operate({ user }: Session): Verdict {
    return user.is_operator ? undefined : 'can.needs_operator'
  },
}

export const endpointCan = {
  /** `needs` of EndpointViewSet in apps/serving/api.py: create, deploy, rollback, scale, limits. */
  change(project: Project): Verdict {
    return atLeast('member', project) ? undefined : 'can.needs_member'
  },

  /** `destroy` of EndpointViewSet in apps/serving/api.py. */
  remove(project: Project): Verdict {
    return atLeast('maintainer', project) ? undefined : 'can.needs_maintainer'
  },

  /** `needs` of EndpointKeyViewSet in apps/serving/api.py. */
  makeKey(project: Project): Verdict {
    return atLeast('member', project) ? undefined : 'can.needs_member'
  },

  revokeKey(key: Pick<EndpointKey, 'revoked_at'>, project: Project): Verdict {
    return key.revoked_at ? 'endpoints.key_revoked_already' : this.makeKey(project)
  },
}

export const userCan = {
  /** `needs` of UserViewSet in apps/accounts/api.py. */
  manage({ user }: Session): Verdict {
    return user.is_operator ? undefined : 'can.needs_operator'
  },
}
