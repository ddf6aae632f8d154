import type { Job } from '@/api/types'

/** Every state of a job, in the order of its life. */
export const STATES: Job['state'][] = [
  'queued',
  'running',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
]
