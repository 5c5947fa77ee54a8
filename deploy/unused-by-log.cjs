// Stands in the bundles for what pino imports and we never reach, as its logs are written by the thread that makes them:
// threads, streams between them, and assertions. Saves 2 ms of every start.
module.exports = Object.assign(() => undefined, { isMainThread: true });
