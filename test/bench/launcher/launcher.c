/* The container runtime's side of a benchmark: starts plugins as a runtime does, and measures them
 * by one clock.
 *
 * stdin:  batches, each a u32 length and that many bytes: u32 concurrency, u32 number of jobs; a
 * job: u32 number of executions; an execution: path, u32 number of variables, the variables, what
 * it reads from stdin. Texts are a u32 length and bytes; those that C wants as strings end in a
 * NUL, which counts. stdout: an answer for each batch, a u32 length and that many bytes; of each
 * job in turn: u64 start in ns since the batch began, u64 duration in ns, u64 user and system time
 * of its processes in us, u32 largest RSS in KiB, i32 exit code of the last execution (minus the
 * signal that ended it), u32 number of executions that ran; of each of these its stdout; the stderr
 * of the last. All integers are little-endian. A failing execution ends its job. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of stdout and stderr; what comes behind it is read and dropped. A pipe holds as much, so stdin is
 * written first. */
enum { kMaxText = 65536 };

struct Text {
  uint32_t length;
  const char* bytes;
};

/* Grows as it comes: what the launcher has itself is the least that a process of it seems to have.
 */
struct Output {
  uint32_t length;
  uint32_t capacity;
  char* bytes;
};

struct Execution {
  struct Text path;
  char** env;
  struct Text input;
  struct Output output;
};

struct Job {
  uint32_t count;
  struct Execution* executions;
  uint64_t start_ns;
  uint64_t duration_ns;
  uint64_t cpu_us;
  uint32_t max_rss_kib;
  int32_t code;
  uint32_t ran;
  struct Output errors;
};

struct Batch {
  uint32_t count;
  struct Job* jobs;
  uint64_t began_ns;
  atomic_uint next;
};

static void Fail(const char* what) {
  fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void* Allocate(size_t count, size_t size) {
  void* memory = calloc(count ? count : 1, size);
  if (!memory) Fail("calloc");
  return memory;
}

static uint64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void WriteAll(int fd, const void* bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t n = write(fd, (const char*)bytes + at, length - at);
    if (n < 0 && errno != EINTR) Fail("write");
    if (n > 0) at += (size_t)n;
  }
}

/* 0 at the end of the file. */
static int ReadAll(int fd, void* bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t n = read(fd, (char*)bytes + at, length - at);
    if (n == 0) return 0;
    if (n < 0 && errno != EINTR) Fail("read");
    if (n > 0) at += (size_t)n;
  }
  return 1;
}

/* Room for more, 0 when there is enough of it. */
static uint32_t Room(struct Output* output) {
  if (output->length == output->capacity && output->capacity < kMaxText) {
    output->capacity = output->capacity ? 2 * output->capacity : 2048;
    output->bytes = realloc(output->bytes, output->capacity);
    if (!output->bytes) Fail("realloc");
  }
  return output->capacity - output->length;
}

/* Reads both to their ends, as they come. */
static void Collect(int fds[2], struct Output* outputs[2]) {
  struct pollfd polled[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
  char dropped[4096];
  for (int open = 2; open > 0;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR) Fail("poll");
    for (int i = 0; i < 2; i++) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      struct Output* output = outputs[i];
      uint32_t space = Room(output);
      ssize_t n = read(fds[i], space ? output->bytes + output->length : dropped,
                       space ? space : sizeof dropped);
      if (n > 0 && space) output->length += (uint32_t)n;
      if (n > 0 || (n < 0 && errno == EINTR)) continue;
      close(fds[i]);
      polled[i].fd = -1;
      open--;
    }
  }
}

/* One plugin, from its start to its end. */
static void Execute(struct Job* job, struct Execution* execution) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) Fail("pipe2");
  WriteAll(in[1], execution->input.bytes, execution->input.length);
  close(in[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  char* argv[] = {(char*)execution->path.bytes, NULL};
  pid_t pid;
  errno = posix_spawn(&pid, execution->path.bytes, &actions, NULL, argv, execution->env);
  if (errno) Fail(execution->path.bytes);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  close(err[1]);

  job->errors.length = 0;
  struct Output* outputs[] = {&execution->output, &job->errors};
  Collect((int[]){out[0], err[0]}, outputs);
  int status;
  struct rusage usage;
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) Fail("wait4");
  }
  job->ran++;
  job->code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  job->cpu_us += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
                 (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  if ((uint32_t)usage.ru_maxrss > job->max_rss_kib) job->max_rss_kib = (uint32_t)usage.ru_maxrss;
}

/* A thread: takes the next job until there is none. */
static void* Work(void* argument) {
  struct Batch* batch = argument;
  for (;;) {
    uint32_t i = atomic_fetch_add(&batch->next, 1);
    if (i >= batch->count) return NULL;
    struct Job* job = &batch->jobs[i];
    uint64_t start = Now();
    for (uint32_t e = 0; e < job->count && job->code == 0; e++) Execute(job, &job->executions[e]);
    job->duration_ns = Now() - start;
    job->start_ns = start - batch->began_ns;
  }
}

struct Reader {
  const char* at;
  const char* end;
};

static uint32_t TakeU32(struct Reader* reader) {
  uint32_t value;
  if (reader->end - reader->at < (ptrdiff_t)sizeof value) errno = EBADMSG, Fail("batch");
  memcpy(&value, reader->at, sizeof value);
  reader->at += sizeof value;
  return value;
}

static struct Text TakeText(struct Reader* reader) {
  struct Text text = {.length = TakeU32(reader), .bytes = reader->at};
  if ((size_t)(reader->end - reader->at) < text.length) errno = EBADMSG, Fail("batch");
  reader->at += text.length;
  return text;
}

static void TakeExecution(struct Reader* reader, struct Execution* execution) {
  execution->path = TakeText(reader);
  uint32_t count = TakeU32(reader);
  execution->env = Allocate(count + 1, sizeof(char*));
  for (uint32_t i = 0; i < count; i++) execution->env[i] = (char*)TakeText(reader).bytes;
  execution->input = TakeText(reader);
  if (execution->input.length > kMaxText) errno = EMSGSIZE, Fail("stdin");
}

static void TakeJobs(struct Reader* reader, struct Batch* batch) {
  batch->count = TakeU32(reader);
  batch->jobs = Allocate(batch->count, sizeof(struct Job));
  for (uint32_t i = 0; i < batch->count; i++) {
    struct Job* job = &batch->jobs[i];
    job->count = TakeU32(reader);
    job->executions = Allocate(job->count, sizeof(struct Execution));
    for (uint32_t e = 0; e < job->count; e++) TakeExecution(reader, &job->executions[e]);
  }
}

static void PutText(FILE* stream, const struct Output* output) {
  fwrite(&output->length, sizeof output->length, 1, stream);
  if (output->length) fwrite(output->bytes, 1, output->length, stream);
}

static void PutJob(FILE* stream, const struct Job* job) {
  fwrite(&job->start_ns, sizeof job->start_ns, 1, stream);
  fwrite(&job->duration_ns, sizeof job->duration_ns, 1, stream);
  fwrite(&job->cpu_us, sizeof job->cpu_us, 1, stream);
  fwrite(&job->max_rss_kib, sizeof job->max_rss_kib, 1, stream);
  fwrite(&job->code, sizeof job->code, 1, stream);
  fwrite(&job->ran, sizeof job->ran, 1, stream);
  for (uint32_t e = 0; e < job->ran; e++) PutText(stream, &job->executions[e].output);
  PutText(stream, &job->errors);
}

static void Answer(const struct Batch* batch) {
  char* bytes;
  size_t length;
  FILE* stream = open_memstream(&bytes, &length);
  if (!stream) Fail("open_memstream");
  for (uint32_t i = 0; i < batch->count; i++) PutJob(stream, &batch->jobs[i]);
  fclose(stream);
  uint32_t size = (uint32_t)length;
  WriteAll(1, &size, sizeof size);
  WriteAll(1, bytes, length);
  free(bytes);
}

static void Free(struct Batch* batch) {
  for (uint32_t i = 0; i < batch->count; i++) {
    struct Job* job = &batch->jobs[i];
    for (uint32_t e = 0; e < job->count; e++) {
      free(job->executions[e].env);
      free(job->executions[e].output.bytes);
    }
    free(job->executions);
    free(job->errors.bytes);
  }
  free(batch->jobs);
}

static void Run(const char* bytes, uint32_t length) {
  struct Reader reader = {bytes, bytes + length};
  uint32_t concurrency = TakeU32(&reader);
  struct Batch batch = {0};
  TakeJobs(&reader, &batch);
  pthread_t* threads = Allocate(concurrency, sizeof(pthread_t));
  batch.began_ns = Now();
  for (uint32_t i = 0; i < concurrency; i++) {
    errno = pthread_create(&threads[i], NULL, Work, &batch);
    if (errno) Fail("pthread_create");
  }
  for (uint32_t i = 0; i < concurrency; i++) pthread_join(threads[i], NULL);
  free(threads);
  Answer(&batch);
  Free(&batch);
}

int main(void) {
  uint32_t length;
  while (ReadAll(0, &length, sizeof length)) {
    char* bytes = Allocate(length, 1);
    if (!ReadAll(0, bytes, length)) return 1;
    Run(bytes, length);
    free(bytes);
  }
  return 0;
}
