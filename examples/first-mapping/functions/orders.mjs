// A Lambda handler like any other: `event` is the aws:kafka event, values are base64.
export async function handler(event) {
  for (const records of Object.values(event.records)) {
    for (const { topic, partition, offset, value } of records) {
      console.log(`${topic}-${partition}@${offset} ${Buffer.from(value, 'base64')}`)
    }
  }
}
