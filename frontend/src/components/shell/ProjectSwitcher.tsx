import { Menu } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { Check, ChevronsUpDown, Plus } from 'lucide-react'
import type { Project, Session } from '@/api/types'
import { useI18n } from '@/i18n'
import { pb } from '@/util/path-builder'
import classes from './ProjectSwitcher.module.css'

interface Props {
  session: Session
  project: Project | undefined
  onCreate: () => void
}

/** Which project one is in, the way to others, and to a new one. */
export function ProjectSwitcher({ session: { projects }, project, onCreate }: Props) {
  const { t } = useI18n()
  const navigate = useNavigate()
  return (
    <Menu position="bottom-start" width={240}>
      <Menu.Target>
        <button
          type="button"
          className={classes.target}
          aria-label={project ? t('shell.project_is', { name: project.name }) : t('project')}
        >
          <span className={classes.name}>{project?.name ?? t('project')}</span>
          <ChevronsUpDown size={13} aria-hidden />
        </button>
      </Menu.Target>
      <Menu.Dropdown aria-label={t('project')} mah="70dvh" style={{ overflowY: 'auto' }}>
        {projects.map(({ slug, name }) => (
          <Menu.Item
            key={slug}
            aria-current={slug === project?.slug || undefined}
            rightSection={slug === project?.slug ? <Check size={14} aria-hidden /> : undefined}
            onClick={() => void navigate(pb.home(slug))}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<Plus size={14} aria-hidden />} onClick={onCreate}>
          {t('shell.new_project')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
