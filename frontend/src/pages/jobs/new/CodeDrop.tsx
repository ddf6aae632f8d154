import { Button, Progress, Select, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { FileCode2, FolderOpen } from 'lucide-react'
import { type DragEvent, useRef, useState } from 'react'
import { uploadFile } from '@/api/upload'
import { useRefusal } from '@/hooks/use-refusal'
import { useI18n } from '@/i18n'
import { Note } from '@/ui/Note'
import classes from './CodeDrop.module.css'
import { type Code, codeOf, type Dropped, droppedFiles } from './code'
import { textAt } from './draft'
import { useForm } from './form'

/** A script or a folder with one, dropped or chosen, and which file of it is run. */
export function CodeDrop() {
  const { t, format } = useI18n()
  const refusal = useRefusal()
  const { project, draft, replace, set, wrong } = useForm()
  const [over, hover] = useState(false)
  const [code, setCode] = useState<(Code & { upload: string }) | null>(null)
  const [sent, send] = useState(0)
  const file = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const uploading = useMutation({
    mutationFn: async (dropped: Dropped[]) => {
      const found = await codeOf(dropped)
      if (!found) return null
      send(0)
      return { ...found, upload: await uploadFile(project.slug, found.file, { onProgress: send }) }
    },
    onSuccess: (done) => {
      if (!done) return
      setCode(done)
      const { entrypoint: _, requirements: asked, ...rest } = draft
      const requirements = asked ?? (done.requirements.length > 0 ? done.requirements : undefined)
      replace({
        ...rest,
        code: done.upload,
        ...(done.scripts[0] && { entrypoint: done.scripts[0] }),
        ...(requirements !== undefined && { requirements }),
      })
    },
  })
  const drop = async (event: DragEvent) => {
    event.preventDefault()
    hover(false)
    uploading.mutate(await droppedFiles(event.dataTransfer))
  }
  const choose = (files: FileList | null) =>
    files &&
    files.length > 0 &&
    uploading.mutate(
      [...files].map((one) => ({ path: one.webkitRelativePath || one.name, file: one })),
    )
  const given = textAt(draft, 'code')
  const known = code && code.upload === given ? code : null
  return (
    <>
      <fieldset
        className={classes.drop}
        aria-label={t('jobs.new_code')}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault()
          hover(true)
        }}
        onDragLeave={() => hover(false)}
        onDrop={(event) => void drop(event)}
      >
        <p>
          {known ? (
            <>
              <strong>{known.file.name}</strong> · {format.bytes(known.file.size)}
              {known.count > 1 &&
                ` · ${t('jobs.new_files', { count: format.number(known.count) })}`}
            </>
          ) : given ? (
            <>
              {t('jobs.new_code_known')} <code>{given.slice(0, 12)}</code>
            </>
          ) : (
            t('jobs.new_drop')
          )}
        </p>
        <div className={classes.buttons}>
          <Button
            size="xs"
            variant="default"
            leftSection={<FileCode2 size={14} aria-hidden />}
            onClick={() => file.current?.click()}
          >
            {t('jobs.new_choose_file')}
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<FolderOpen size={14} aria-hidden />}
            onClick={() => folder.current?.click()}
          >
            {t('jobs.new_choose_folder')}
          </Button>
        </div>
        <input
          ref={file}
          hidden
          type="file"
          accept=".py,.zip"
          aria-label={t('jobs.new_choose_file')}
          onChange={(event) => choose(event.currentTarget.files)}
        />
        <input
          ref={folder}
          hidden
          type="file"
          aria-label={t('jobs.new_choose_folder')}
          {...{ webkitdirectory: '' }}
          onChange={(event) => choose(event.currentTarget.files)}
        />
        {uploading.isPending && (
          <Progress value={sent * 100} size="sm" aria-label={t('jobs.new_uploading')} w="100%" />
        )}
      </fieldset>
      {uploading.error && <Note tone="bad">{refusal(uploading.error)}</Note>}
      {uploading.data === null && <Note tone="bad">{t('jobs.new_no_script')}</Note>}
      {wrong('code') && <Note tone="bad">{wrong('code')}</Note>}
      {known && known.scripts.length > 1 ? (
        <Select
          label={t('jobs.new_entrypoint')}
          searchable
          data={known.scripts}
          value={textAt(draft, 'entrypoint') || null}
          onChange={(path) => set('entrypoint', path ?? undefined)}
          error={wrong('entrypoint')}
        />
      ) : (
        <TextInput
          label={t('jobs.new_entrypoint')}
          placeholder="train.py"
          value={textAt(draft, 'entrypoint')}
          onChange={(event) => set('entrypoint', event.currentTarget.value || undefined)}
          error={wrong('entrypoint')}
        />
      )}
    </>
  )
}
