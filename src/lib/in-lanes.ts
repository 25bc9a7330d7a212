/** Does something with each of many, a few at a time, and gives what came of each, in their order. */
export const inLanes = async <Item, Outcome>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<Outcome>,
): Promise<readonly Outcome[]> => {
  const outcomes: Outcome[] = [];
  const waiting = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of waiting) outcomes[at] = await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
};
