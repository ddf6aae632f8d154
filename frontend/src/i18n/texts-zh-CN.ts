/** Every text in Chinese: the keys of the English ones. */
import type { MessageKey } from './texts-en'
import admin from './zh-CN/admin.json'
import common from './zh-CN/common.json'
import datasets from './zh-CN/datasets.json'
import endpoints from './zh-CN/endpoints.json'
import fleet from './zh-CN/fleet.json'
import home from './zh-CN/home.json'
import job from './zh-CN/job.json'
import jobs from './zh-CN/jobs.json'
import models from './zh-CN/models.json'
import shell from './zh-CN/shell.json'

export const pages: Record<MessageKey, string> = {
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
