/** From UtilsTest.testMurmur2 of Apache Kafka. */
export const partitionerSample = [
  { key: '21', hash: -973_932_308 },
  { key: 'foobar', hash: -790_332_482 },
  { key: 'a-little-bit-long-string', hash: -985_981_536 },
  { key: 'a-little-bit-longer-string', hash: -1_486_304_829 },
  { key: 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', hash: -58_897_971 },
  { key: 'abc', hash: 479_470_107 }
] as const
