/** Every text in English: a file per area, one flat name space. */
import admin from './en/admin.json'
import common from './en/common.json'
import datasets from './en/datasets.json'
import endpoints from './en/endpoints.json'
import fleet from './en/fleet.json'
import home from './en/home.json'
import job from './en/job.json'
import jobs from './en/jobs.json'
import models from './en/models.json'
import shell from './en/shell.json'

export const pages = {
  ...admin,
  ...common,
  ...datasets,
  ...endpoints,
  ...fleet,
  ...home,
  ...job,
  ...jobs,
  ...models,
  ...shell,
}

export type MessageKey = keyof typeof pages
