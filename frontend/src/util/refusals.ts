import type { MessageKey } from '@/i18n/translate'

const NAMES: Record<string, MessageKey> = {
  body_too_large: 'endpoints.refused_too_large',
  body_too_slow: 'endpoints.refused_body_too_slow',
  client_gone: 'endpoints.refused_client_gone',
  content_type_refused: 'endpoints.refused_content_type',
  database_away: 'endpoints.refused_database_away',
  input_dtype: 'endpoints.refused_input',
  input_missing: 'endpoints.refused_input',
  input_not_finite: 'endpoints.refused_input',
  input_rows: 'endpoints.refused_input',
  input_shape: 'endpoints.refused_input',
  input_unknown: 'endpoints.refused_input',
  inputs_missing: 'endpoints.refused_input',
  malformed_json: 'endpoints.refused_input',
  picture_unreadable: 'endpoints.refused_picture',
  internal_error: 'endpoints.refused_internal_error',
  no_replica_ready: 'endpoints.refused_no_replica',
  prediction_failed: 'endpoints.refused_failed',
  prediction_timeout: 'endpoints.refused_timeout',
  queue_full: 'endpoints.refused_queue_full',
  rate_limited: 'endpoints.refused_rate_limited',
}

/** What refused requests are called in few words; their code where it has no name. */
export const refusalName = (code: string, t: (key: MessageKey) => string): string => {
  const key = NAMES[code]
  return key ? t(key) : code
}
