/** What helps against what needs somebody: where to go, and what the way there is called. */
import type { LinkProps } from '@tanstack/react-router'
import type { Attention } from '@/api/types'
import type { MessageKey } from '@/i18n/translate'
import { pb } from './path-builder'

interface Remedy {
  key: MessageKey
  to: LinkProps
}

/** `digits@2` is of `digits`. */
const nameOf = (reference: string) => reference.replace(/@\d+$/, '')

/** The page of what an answer of the server is about; undefined if it has none. */
export function pageOf(
  project: string,
  { type, id, name }: Attention['subject'],
): LinkProps | undefined {
  if (type === 'job' && id) return pb.job(project, id)
  if (type === 'node' && id) return pb.node(id)
  if (type === 'dataset' || type === 'datasetversion') return pb.dataset(project, nameOf(name))
  if (type === 'model' || type === 'modelversion') return pb.model(project, nameOf(name))
  if (type === 'endpoint') return pb.endpoint(project, name)
  if (type === 'membership' || type === 'user') return pb.members(project)
  return undefined
}

export function remedyOf(project: string, { action, subject }: Attention): Remedy | undefined {
  const to = pageOf(project, subject)
  if (!to) return undefined
  if (action === 'open_log' && subject.id) {
    return { key: 'home.open_log', to: pb.job(project, subject.id, { tab: 'logs' }) }
  }
  if (action === 'see_queue') {
    return { key: 'home.see_queue', to: pb.jobs(project, { state: ['queued'] }) }
  }
  if (action === 'open_dataset') return { key: 'home.open_dataset', to }
  if (subject.type === 'node') return { key: 'home.open_node', to }
  return { key: 'home.open', to }
}
