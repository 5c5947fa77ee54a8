/** Many pods at once, though not all of them. */

/** How many sandboxes the kubelet starts at a time here. */
const AT_ONCE = 4;

/** Do it with all of them, some at a time, in their order. @throws the first error, when all have ended */
export async function withAll<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  atOnce = AT_ONCE,
): Promise<R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  const queue = [...items.entries()];
  const next = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const [i, item] = entry;
      try {
        results[i] = await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  if (errors.length > 0) throw errors[0];
  return results;
}
