/** What is counted of a mapping, by AWS's names (reference 12.1); each says what its Prometheus counter is called. */
export const countNames = {
  PolledEventCount: { counter: 'millrace_polled_events_total', help: 'Records read from the topic' },
  FilteredOutEventCount: { counter: 'millrace_filtered_out_events_total', help: 'Records that no filter took' },
  InvokedEventCount: {
    counter: 'millrace_invoked_events_total',
    help: 'Records handed to the function, again at each retry'
  },
  FailedInvokeEventCount: {
    counter: 'millrace_failed_invoke_events_total',
    help: 'Records of failed calls; of a partial failure those the function named'
  },
  DroppedEventCount: {
    counter: 'millrace_dropped_events_total',
    help: 'Records given up without a destination'
  },
  OnFailureDestinationDeliveredEventCount: {
    counter: 'millrace_destination_delivered_events_total',
    help: 'Records given up and delivered to the on-failure destination'
  },
  CommittedEventCount: { counter: 'millrace_committed_events_total', help: 'Offsets committed' },
  InvokeErrorCount: { counter: 'millrace_invoke_errors_total', help: 'Calls that failed' },
  OnFailureDestinationDeliveryErrorCount: {
    counter: 'millrace_destination_delivery_errors_total',
    help: 'Deliveries that the on-failure destination did not take; each is tried again'
  },
  CommitErrorCount: { counter: 'millrace_commit_errors_total', help: 'Commits that were not taken' }
} as const satisfies Record<string, { counter: string; help: string }>

export type CountName = keyof typeof countNames
export type Counts = Readonly<Partial<Record<CountName, number>>>
