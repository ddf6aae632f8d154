/** The texts of the pages: a file per area and language, one flat name space. */
import adminEn from './en/admin.json'
import commonEn from './en/common.json'
import datasetsEn from './en/datasets.json'
import endpointsEn from './en/endpoints.json'
import fleetEn from './en/fleet.json'
import homeEn from './en/home.json'
import jobEn from './en/job.json'
import jobsEn from './en/jobs.json'
import modelsEn from './en/models.json'
import shellEn from './en/shell.json'
import adminZh from './zh-CN/admin.json'
import commonZh from './zh-CN/common.json'
import datasetsZh from './zh-CN/datasets.json'
import endpointsZh from './zh-CN/endpoints.json'
import fleetZh from './zh-CN/fleet.json'
import homeZh from './zh-CN/home.json'
import jobZh from './zh-CN/job.json'
import jobsZh from './zh-CN/jobs.json'
import modelsZh from './zh-CN/models.json'
import shellZh from './zh-CN/shell.json'

export const en = {
  ...adminEn,
  ...commonEn,
  ...datasetsEn,
  ...endpointsEn,
  ...fleetEn,
  ...homeEn,
  ...jobEn,
  ...jobsEn,
  ...modelsEn,
  ...shellEn,
}

export type MessageKey = keyof typeof en

export const zhCN: Record<MessageKey, string> = {
  ...adminZh,
  ...commonZh,
  ...datasetsZh,
  ...endpointsZh,
  ...fleetZh,
  ...homeZh,
  ...jobZh,
  ...jobsZh,
  ...modelsZh,
  ...shellZh,
}
