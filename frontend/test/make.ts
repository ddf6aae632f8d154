/** Plain builders of what the server answers. */
import type {
  DatasetDetail,
  DatasetVersion,
  Deployment,
  Endpoint,
  Evaluation,
  Job,
  ModelDetail,
  ModelVersion,
  Node,
  Replica,
  Session,
} from '@/api/types'

const NOON = '2030-01-01T12:00:00Z'

export const session = (over: Partial<Session['user']> = {}): Session => ({
  user: { id: 'u1', username: 'ada', is_operator: true, language: '', ...over },
  projects: [{ id: 'p1', slug: 'default', name: 'default', role: 'owner' }],
})

export const node = (over: Partial<Node> = {}): Node => ({
  id: 'n1',
  name: 'rack1-host1',
  hostname: 'host1',
  simulated: false,
  contact: 'fresh',
  last_contact_at: NOON,
  cordoned_at: null,
  cordon_reason: '',
  join_token: null,
  cpu_millis: 2000,
  memory_bytes: 8 * 1024 ** 3,
  disk_bytes: 100 * 1024 ** 3,
  reserved_cpu_millis: 1000,
  reserved_memory_bytes: 1024 ** 3,
  agent_version: '0.1.0',
  protocol_version: 1,
  clock_offset_ms: 0,
  facts: {},
  isolation: { profile: 'bwrap', reason: null, limits: ['memory', 'processes'] },
  devices: [],
  created_at: NOON,
  ...over,
})

export const job = (over: Partial<Job> = {}): Job => ({
  id: 'j1',
  name: 'train-digits',
  kind: 'train',
  state: 'running',
  reason: null,
  waiting: null,
  priority: 0,
  max_retries: 0,
  config: {},
  resources: {
    cpu_millis: 1000,
    memory_bytes: 1024 ** 3,
    device_count: 0,
    device_kind: '',
    device_memory_bytes: 0,
    simulated: false,
  },
  submitted_by: 'ada',
  created_at: NOON,
  started_at: NOON,
  ended_at: null,
  stop_asked_at: null,
  run: {
    id: 'r1',
    number: 1,
    state: 'running',
    reason: null,
    cause: '',
    exit_code: null,
    started_at: NOON,
    ended_at: null,
    workload: 'w1',
    node: { id: 'n1', name: 'rack1-host1' },
    devices: [],
  },
  inputs: [],
  model_version: null,
  evaluation: null,
  progress: null,
  time_left_seconds: null,
  main_metric: null,
  ...over,
})

export const datasetVersion = (over: Partial<DatasetVersion> = {}): DatasetVersion => ({
  id: `dv${over.number ?? 1}`,
  number: 1,
  state: 'ready',
  reason: null,
  kind: 'images_by_class',
  size: 2048,
  file_count: 1,
  manifest_sha256: 'a'.repeat(64),
  changes: null,
  profile: {
    kind: 'images_by_class',
    samples: 3,
    schema: [{ name: 'picture', type: 'image', modes: { L: 3 }, width: [8, 8], height: [8, 8] }],
    splits: { train: { cat: 1, dog: 1 }, test: { cat: 1 } },
    counts: { cat: 2, dog: 1 },
    unpack: true,
    preview: [],
    warnings: [],
  },
  thumbnails: { cat: ['/transfer/cat0', '/transfer/cat1'], dog: ['/transfer/dog0'] },
  created_at: NOON,
  created_by: 'ada',
  settled_at: NOON,
  ...over,
})

/** A dataset of these versions, newest first. */
export const dataset = (...versions: DatasetVersion[]): DatasetDetail => ({
  id: 'd1',
  name: 'pets',
  description: 'Cats and dogs.',
  created_at: NOON,
  latest: versions[0] ?? null,
  versions,
})

export const evaluation = (over: Partial<Evaluation> = {}): Evaluation => ({
  id: 'e1',
  split: 'test',
  samples: 4,
  metrics: { loss: 0.5, accuracy: 0.75 },
  dataset: 'pets@1',
  dataset_version: 'dv1',
  detail: {
    labels: ['cat', 'dog'],
    confusion: [
      [2, 1],
      [0, 1],
    ],
    per_class: { cat: { precision: 1, recall: 0.67 }, dog: { precision: 0.5, recall: 1 } },
  },
  run_id: 'r1',
  created_at: NOON,
  ...over,
})

export const modelVersion = (over: Partial<ModelVersion> = {}): ModelVersion => ({
  id: `mv${over.number ?? 1}`,
  number: 1,
  created_at: NOON,
  size: 4096,
  signature: {
    task: 'image_classification',
    inputs: [{ name: 'image', dtype: 'float32', shape: [null, 1, 8, 8] }],
    outputs: [{ name: 'logits', dtype: 'float32', shape: [null, 2] }],
    labels: ['cat', 'dog'],
    weights: 'model.safetensors',
    parameters: 1234,
    framework: 'torch 2',
  },
  evaluations: [evaluation()],
  run_id: 'r1',
  files: [{ path: 'model.safetensors', digest: 'b'.repeat(64), size: 4096, url: '/transfer/w' }],
  ...over,
})

/** A model of these versions, newest first. */
export const model = (...versions: ModelVersion[]): ModelDetail => ({
  id: 'm1',
  name: 'pets',
  description: '',
  created_at: NOON,
  latest: versions[0] ?? null,
  versions,
})

export const deployment = (over: Partial<Deployment> = {}): Deployment => ({
  number: 1,
  version: { id: 'v1', model: 'digits', number: 1 },
  resources: {
    cpu_millis: 500,
    memory_bytes: 1024 ** 3,
    device_count: 0,
    device_kind: '',
    device_memory_bytes: 0,
    simulated: false,
  },
  max_batch: 64,
  created_at: NOON,
  created_by: 'ada',
  given_up_at: null,
  reason: null,
  ...over,
})

export const endpoint = (over: Partial<Endpoint> = {}): Endpoint => ({
  id: 'e1',
  name: 'digits',
  url: 'http://gateway/v1/endpoints/e1/predict',
  state: 'ready',
  reason: null,
  replicas_wanted: 1,
  replicas_ready: 1,
  deployment: deployment(),
  previous: null,
  signature: {
    task: 'image_classification',
    inputs: [{ name: 'image', dtype: 'float32', shape: [null, 1, 28, 28] }],
    outputs: [{ name: 'scores', dtype: 'float32', shape: [null, 10] }],
    labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  },
  max_queue: 1024,
  timeout_seconds: 30,
  created_at: NOON,
  created_by: 'ada',
  ...over,
})

export const replica = (over: Partial<Replica> = {}): Replica => ({
  id: 'x1',
  number: 1,
  deployment: 1,
  state: 'ready',
  reason: null,
  node: { id: 'n1', name: 'rack1-host1' },
  workload: 'w1',
  created_at: new Date(Date.now() - 600_000).toISOString(),
  started_at: new Date(Date.now() - 590_000).toISOString(),
  ready_at: new Date(Date.now() - 580_000).toISOString(),
  ended_at: null,
  ...over,
})

export const page = <T>(...results: T[]) => ({ results, next: null, previous: null })
