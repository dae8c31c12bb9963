import type { FilterExplanation } from '../../control/shapes.ts'
import type { Io } from '../io.ts'
import type { Format } from '../mappings/flags.ts'
import { tabbed, table } from '../mappings/table.ts'

/** Which conditions refused how many of the records that were looked at. */
export function explanationText(
  explanation: FilterExplanation,
  format: Format,
  look: Pick<Io, 'columns' | 'colour'>
): string {
  const { SampledEvery, SampledEventCount, Since, Filters } = explanation
  const since = Since === undefined ? undefined : new Date(Since * 1000).toISOString()
  if (format === 'json')
    return `${JSON.stringify({ ...explanation, ...(since === undefined ? {} : { Since: since }) }, undefined, 2)}\n`
  const rows = Filters.flatMap(({ RefusedBy }, at) =>
    RefusedBy.map(({ Condition, SampledEventCount: records }) => [
      String(at + 1),
      Condition,
      String(records),
      `${((100 * records) / SampledEventCount).toFixed(1)} %`
    ])
  )
  if (format === 'text') return tabbed(rows)
  const head =
    since === undefined
      ? 'No refused record was looked at so far.\n'
      : `${SampledEventCount} refused records were looked at since ${since}, one in ${SampledEvery}.\n`
  const filters = table(
    ['FILTER', 'PATTERN'],
    Filters.map(({ Pattern }, at) => [String(at + 1), Pattern]),
    look
  )
  if (rows.length === 0) return `${head}\n${filters}`
  return `${head}\n${filters}\n${table(['FILTER', 'REFUSED BY', 'SAMPLED', 'SHARE'], rows, look)}`
}
