import { Alert, Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core'
import { FilePlus, FolderPlus } from 'lucide-react'
import { useRef, useState } from 'react'
import { type ChosenFile, uploads } from '@/api/upload-sets'
import { useI18n } from '@/i18n'
import { fromDrop, fromInput, isName, nameOf } from '@/util/chosen-files'
import classes from './UploadDialog.module.css'

interface Props {
  project: string
  /** The dataset that gets another version; null: the person names it. */
  dataset: string | null
  /** A name and a description to begin with. */
  name?: string | undefined
  description?: string | undefined
  /** What was dropped already. */
  files?: ChosenFile[] | undefined
  onClose: () => void
}

const FILES_LISTED = 6

/** What to upload, and as what; the tray takes over from there. */
export function UploadDialog({
  project,
  dataset,
  name: givenName = '',
  description: givenDescription = '',
  files: dropped = [],
  onClose,
}: Props) {
  const { t, format, say } = useI18n()
  const [files, setFiles] = useState(dropped)
  const [name, setName] = useState(dataset ?? (givenName || nameOf(dropped)))
  const [description, setDescription] = useState(givenDescription)
  const [over, setOver] = useState(false)
  const pickFiles = useRef<HTMLInputElement>(null)
  const pickFolder = useRef<HTMLInputElement>(null)

  const take = (chosen: ChosenFile[]) => {
    if (chosen.length === 0) return
    setFiles(chosen)
    if (!name) setName(nameOf(chosen))
  }
  const empty = files.filter(({ file }) => file.size === 0).length
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0)
  const refused = name !== '' && !isName(name)
  const ready = files.length > 0 && name !== '' && !refused
  const start = () => {
    if (!ready) return
    uploads.add({ project, name, description, files })
    onClose()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={dataset ? t('datasets.new_version_of', { name: dataset }) : t('datasets.upload')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          start()
        }}
      >
        <Stack gap="sm">
          {/* biome-ignore lint/a11y/noStaticElementInteractions: the buttons within do the same */}
          <div
            className={classes.drop}
            data-over={over || undefined}
            onDragOver={(event) => {
              event.preventDefault()
              setOver(true)
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
              event.preventDefault()
              event.stopPropagation()
              setOver(false)
              void fromDrop(event.dataTransfer).then(take)
            }}
          >
            <p>{t('datasets.drop_here')}</p>
            <Group gap="xs" justify="center">
              <Button
                size="xs"
                variant="default"
                leftSection={<FilePlus size={14} aria-hidden />}
                onClick={() => pickFiles.current?.click()}
              >
                {t('datasets.choose_files')}
              </Button>
              <Button
                size="xs"
                variant="default"
                leftSection={<FolderPlus size={14} aria-hidden />}
                onClick={() => pickFolder.current?.click()}
              >
                {t('datasets.choose_folder')}
              </Button>
            </Group>
            <p className={classes.hint}>{t('datasets.what_files')}</p>
            <input
              ref={pickFiles}
              type="file"
              multiple
              hidden
              aria-label={t('datasets.choose_files')}
              onChange={(event) => take(fromInput(event.currentTarget.files ?? []))}
            />
            <input
              ref={pickFolder}
              type="file"
              multiple
              hidden
              aria-label={t('datasets.choose_folder')}
              {...{ webkitdirectory: '' }}
              onChange={(event) => take(fromInput(event.currentTarget.files ?? []))}
            />
          </div>
          {files.length > 0 && (
            <section className={classes.chosen} aria-label={t('datasets.chosen')}>
              <strong className="numbers">
                {t('datasets.chosen_sum', {
                  count: format.number(files.length),
                  size: format.bytes(bytes),
                })}
              </strong>
              <ul>
                {files.slice(0, FILES_LISTED).map(({ path, file }) => (
                  <li key={path}>
                    <span className={classes.path} title={path}>
                      {path}
                    </span>
                    <span className="numbers">{format.bytes(file.size)}</span>
                  </li>
                ))}
              </ul>
              {files.length > FILES_LISTED && (
                <p className={classes.hint}>
                  {t('datasets.more_files', { count: format.number(files.length - FILES_LISTED) })}
                </p>
              )}
              {empty > 0 && (
                <Alert color="yellow" p="xs">
                  {t('datasets.empty_files', { count: format.number(empty) })}
                </Alert>
              )}
            </section>
          )}
          {dataset === null && (
            <TextInput
              label={t('datasets.name')}
              description={t('datasets.name_help')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={refused && say({ code: 'name_refused', params: { name } })}
              required
              withAsterisk={false}
              maxLength={100}
              autoComplete="off"
              data-autofocus
            />
          )}
          <Textarea
            label={t('datasets.description')}
            description={t('datasets.description_help')}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
            rows={3}
            maxLength={10_000}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" disabled={!ready}>
              {t('datasets.start_upload')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
