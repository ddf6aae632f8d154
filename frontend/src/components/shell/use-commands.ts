import { useMantineColorScheme } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type LinkProps, useNavigate, useParams } from '@tanstack/react-router'
import {
  BookOpen,
  Copy,
  FolderPlus,
  GraduationCap,
  KeyRound,
  Languages,
  ListPlus,
  LogOut,
  type LucideIcon,
  Monitor,
  Moon,
  Rocket,
  Server,
  Square,
  Sun,
  Upload,
  UserRound,
} from 'lucide-react'
import { useEffect, useState } from 'react'
import { datasetCan, endpointCan, jobCan, nodeCan, userCan } from '@/api/can'
import { firstModel } from '@/api/first-model'
import { jobQuery, stopJob } from '@/api/queries/jobs'
import type { Project, Session } from '@/api/types'
import { useChooseLanguage } from '@/hooks/use-language'
import { useSignOut } from '@/hooks/use-sign-out'
import { useI18n } from '@/i18n'
import {
  isLoaded,
  LANGUAGES,
  type Language,
  load,
  type MessageKey,
  translate,
} from '@/i18n/translate'
import type { Offered } from '@/util/palette'
import { pb, served } from '@/util/path-builder'
import { PLACES, placesIn } from './Navigation'

export interface Command extends Offered {
  icon: LucideIcon
  /** What is going on with it, or what it is. */
  note?: string | undefined
  /** Why it cannot be done now; then it does nothing. */
  refused?: string | undefined
  run: () => unknown
}

export const ACTIONS = 'actions'
export const PAGES = 'pages'

/** What can be done and where one can go, here and now. */
export function useCommands(
  session: Session,
  project: Project,
  onCreateProject: () => void,
): Command[] {
  const { t, language } = useI18n()
  const navigate = useNavigate()
  const signOut = useSignOut()
  const chooseLanguage = useChooseLanguage()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const ofJob = useJobCommands(project)
  const { model } = useParams({ strict: false }) as { model?: string }
  const slug = project.slug
  const other = language === 'en' ? 'zh-CN' : 'en'
  const [bilingual, setBilingual] = useState(isLoaded(other))
  useEffect(() => {
    void load(other).then(() => setBilingual(true))
  }, [other])

  const go = (to: LinkProps) => () => navigate(to)
  const item = (
    group: string,
    key: MessageKey,
    icon: LucideIcon,
    run: () => unknown,
    refused?: MessageKey | undefined,
  ): Command => ({
    id: `${group} ${key}`,
    group,
    label: t(key),
    words: bilingual ? translate(other, key) : undefined,
    icon,
    run,
    refused: refused && t(refused),
  })
  const act = item.bind(null, ACTIONS)
  const visit = item.bind(null, PAGES)

  return [
    ...ofJob.map(({ key, icon, run, refused }) => act(key, icon, run, refused)),
    act('palette.new_job', ListPlus, go(pb.newJob(slug)), jobCan.submit(project)),
    act(
      'palette.train_digits',
      GraduationCap,
      () => {
        void firstModel.start(project)
        return navigate(pb.home(slug))
      },
      jobCan.submit(project),
    ),
    act(
      'palette.upload',
      Upload,
      go(pb.datasets(slug, { upload: '' })),
      datasetCan.upload(project),
    ),
    act(
      'palette.deploy',
      Rocket,
      go(model ? pb.endpoints(slug, { deploy: model }) : pb.models(slug)),
      endpointCan.change(project),
    ),
    act('palette.add_node', Server, go(pb.addNode()), nodeCan.operate(session)),
    act('palette.token', KeyRound, go(pb.account())),
    act('shell.new_project', FolderPlus, onCreateProject),
    act('palette.add_person', UserRound, go(pb.users()), userCan.manage(session)),
    ...(['dark', 'light', 'auto'] as const)
      .filter((scheme) => scheme !== colorScheme)
      .map((scheme) => act(SCHEMES[scheme][0], SCHEMES[scheme][1], () => setColorScheme(scheme))),
    ...(Object.keys(LANGUAGES) as Language[])
      .filter((code) => code !== language)
      .map((code) => ({
        ...act('palette.language', Languages, () => chooseLanguage(code)),
        id: `language ${code}`,
        // in words that its readers know
        label: `${t('palette.language')}: ${LANGUAGES[code]}`,
      })),
    act('sign_out', LogOut, signOut),
    ...[...placesIn(slug), ...PLACES]
      .filter(({ key }) => key !== 'nav.people' || session.user.is_operator)
      .map(({ key, icon, to }) => visit(key, icon, go(to))),
    visit('shell.your_account', UserRound, go(pb.account())),
    visit('nav.reference', BookOpen, () => window.open(served.reference, '_blank', 'noopener')),
    ...session.projects
      .filter((one) => one.slug !== slug)
      .map((one) => ({
        ...visit('palette.project', FolderPlus, go(pb.home(one.slug))),
        id: `project ${one.slug}`,
        label: `${t('palette.project')}: ${one.name}`,
      })),
  ]
}

const SCHEMES = {
  dark: ['palette.theme_dark', Moon],
  light: ['palette.theme_light', Sun],
  auto: ['palette.theme_auto', Monitor],
} as const

/** What can be done with the job that one looks at. */
function useJobCommands(project: Project) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const { job: id = '' } = useParams({ strict: false }) as { job?: string }
  const { data: job } = useQuery({ ...jobQuery(project.slug, id), enabled: id !== '' })
  if (!job) return []
  const stop = async () => {
    try {
      await stopJob(project.slug, id)
    } finally {
      // also when it was refused: the page then shows why
      await queryClient.invalidateQueries({ queryKey: ['job', id] })
    }
  }
  const clone = () => navigate(pb.newJob(project.slug, { clone: id }))
  return [
    {
      key: 'palette.stop_job' as const,
      icon: Square,
      run: stop,
      refused: jobCan.stop(job, project),
    },
    {
      key: 'palette.clone_job' as const,
      icon: Copy,
      run: clone,
      refused: jobCan.clone(job, project),
    },
  ]
}
