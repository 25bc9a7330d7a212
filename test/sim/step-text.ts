/** What a loop says in a step; it names the step, so that one that is recorded twice is seen. */
export const stepText = (stageId: string, number: number): string => `step ${number} of ${stageId}`;
