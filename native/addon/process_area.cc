// startProcess, feedProcess and killProcess: the Supervisor of each environment on that
// environment's loop.
#include <napi.h>
#include <uv.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "addon/areas.h"
#include "addon/errors.h"
#include "core/supervisor.h"

namespace multus {
namespace {

// Whom to tell of a child's end. The context carries AsyncLocalStorage from startProcess to the
// callback.
struct Listener {
  Napi::FunctionReference callback;
  std::unique_ptr<Napi::AsyncContext> context;
};

// The children of one environment (main thread or worker). Made with the exports, freed by the
// cleanup hook once libuv has let go of the poll handle.
struct ProcessArea {
  explicit ProcessArea(napi_env napi) : env(napi) {}

  Napi::Env env;
  napi_async_cleanup_hook_handle cleanup = nullptr;
  std::optional<Supervisor> supervisor;  // Made by the first startProcess: the CLI starts none.
  uv_poll_t poll = {};
  std::map<uint32_t, Listener> listeners;
  uint32_t last_id = 0;
};

Napi::Object ToObject(Napi::Env env, const Exit& exit) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("exitCode", exit.exit_code);
  object.Set("signal", exit.signal);
  object.Set("timedOut", exit.timed_out);
  object.Set("killed", exit.killed);
  object.Set("stdoutOverflow", exit.stdout_overflow);
  object.Set("stderrTruncated", exit.stderr_truncated);
  object.Set("stdout",
             Napi::Buffer<char>::Copy(env, exit.stdout_data.data(), exit.stdout_data.size()));
  object.Set("stderr",
             Napi::Buffer<char>::Copy(env, exit.stderr_data.data(), exit.stderr_data.size()));
  return object;
}

// What the listener throws is an uncaught exception of the program, as with any event.
void Tell(Napi::Env env, Listener listener, const Exit& exit) {
  const Napi::HandleScope scope(env);
  listener.callback.MakeCallback(env.Global(), {ToObject(env, exit)}, *listener.context);
  if (env.IsExceptionPending()) {
    napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }
}

// Children keep the program running, an idle area does not.
void UpdateRef(ProcessArea* area) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&area->poll);
  if (area->supervisor->empty()) {
    uv_unref(handle);
  } else {
    uv_ref(handle);
  }
}

void OnReadable(uv_poll_t* handle, int /*status*/, int /*events*/) {
  auto* area = static_cast<ProcessArea*>(handle->data);
  const std::vector<Exit> ended = area->supervisor->Step();
  UpdateRef(area);
  for (const Exit& exit : ended) {
    auto listener = area->listeners.extract(exit.id);
    if (!listener.empty()) Tell(area->env, std::move(listener.mapped()), exit);
  }
}

void Free(ProcessArea* area) {
  napi_remove_async_cleanup_hook(area->cleanup);
  delete area;
}

// The environment ends: so do its children, without an audience.
void OnCleanup(napi_async_cleanup_hook_handle /*hook*/, void* data) {
  auto* area = static_cast<ProcessArea*>(data);
  area->listeners.clear();
  if (!area->supervisor.has_value()) {
    Free(area);
    return;
  }
  uv_poll_stop(&area->poll);
  area->supervisor.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&area->poll),
           [](uv_handle_t* handle) { Free(static_cast<ProcessArea*>(handle->data)); });
}

// nullopt: there is one. Otherwise why it could not be made.
std::optional<Error> EnsureSupervisor(ProcessArea* area) {
  if (area->supervisor.has_value()) return std::nullopt;
  Result<Supervisor> made = Supervisor::Create();
  if (!made.ok()) return made.error();
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(area->env, &loop);
  const int status = uv_poll_init(loop, &area->poll, made.value().fd());
  if (status != 0) return Error{.code = -status, .syscall = "uv_poll_init"};
  area->poll.data = area;
  area->supervisor.emplace(std::move(made.value()));
  uv_poll_start(&area->poll, UV_READABLE, OnReadable);
  UpdateRef(area);  // The start that follows may fail.
  return std::nullopt;
}

// A string that execve can take: without NUL.
bool TakeString(const Napi::Value& value, std::string* out) {
  if (!value.IsString()) return false;
  *out = value.As<Napi::String>().Utf8Value();
  return out->find('\0') == std::string::npos;
}

bool TakeSize(const Napi::Value& value, size_t* out) {
  if (!value.IsNumber()) return false;
  const int64_t number = value.As<Napi::Number>().Int64Value();
  *out = static_cast<size_t>(number);
  return number >= 0;
}

bool TakeRequest(const Napi::Value& value, SpawnRequest* out) {
  if (!value.IsObject()) return false;
  const auto options = value.As<Napi::Object>();
  const Napi::Value list = options.Get("env");
  if (!TakeString(options.Get("path"), &out->path) || !list.IsArray() ||
      !TakeSize(options.Get("maxStdout"), &out->max_stdout) ||
      !TakeSize(options.Get("maxStderr"), &out->max_stderr)) {
    return false;
  }
  const auto entries = list.As<Napi::Array>();
  out->env.resize(entries.Length());
  for (uint32_t i = 0; i < entries.Length(); i++) {
    if (!TakeString(entries.Get(i), &out->env[i])) return false;
  }
  return true;
}

Napi::Value ThrowTypeError(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value Throw(Napi::Env env, const Error& error) {
  MakeError(env, error).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value StartProcess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* area = static_cast<ProcessArea*>(info.Data());
  SpawnRequest request;
  if (!TakeRequest(info[0], &request) || !info[1].IsFunction()) {
    return ThrowTypeError(env,
                          "Cannot start process: expected ({path, env, maxStdout, maxStderr}, "
                          "onExit), strings without NUL");
  }
  if (const auto error = EnsureSupervisor(area)) return Throw(env, *error);

  const uint32_t id = ++area->last_id;
  const Result<pid_t> pid = area->supervisor->Start(id, request);
  if (!pid.ok()) return Throw(env, pid.error());
  area->listeners.emplace(id,
                          Listener{Napi::Persistent(info[1].As<Napi::Function>()),
                                   std::make_unique<Napi::AsyncContext>(env, "multus:process")});
  UpdateRef(area);

  Napi::Object started = Napi::Object::New(env);
  started.Set("id", id);
  started.Set("pid", pid.value());
  return started;
}

Napi::Value FeedProcess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* area = static_cast<ProcessArea*>(info.Data());
  if (!info[0].IsNumber() || !info[1].IsBuffer() || !info[2].IsNumber()) {
    return ThrowTypeError(env, "Cannot feed process: expected (id, stdin: Buffer, deadlineMs)");
  }
  if (!area->supervisor.has_value()) return env.Undefined();
  const auto input = info[1].As<Napi::Buffer<char>>();
  const Result<Unit> fed = area->supervisor->Feed(info[0].As<Napi::Number>().Uint32Value(),
                                                  std::string(input.Data(), input.Length()),
                                                  info[2].As<Napi::Number>().Uint32Value());
  // ESRCH: it ended before it was fed, which onExit tells.
  if (!fed.ok() && fed.error().code != ESRCH) return Throw(env, fed.error());
  return env.Undefined();
}

Napi::Value KillProcess(const Napi::CallbackInfo& info) {
  auto* area = static_cast<ProcessArea*>(info.Data());
  if (!info[0].IsNumber()) return ThrowTypeError(info.Env(), "Cannot kill process: expected (id)");
  if (area->supervisor.has_value()) {
    area->supervisor->Kill(info[0].As<Napi::Number>().Uint32Value());
  }
  return info.Env().Undefined();
}

}  // namespace

void InitProcessArea(Napi::Env env, Napi::Object exports) {
  auto* area = new ProcessArea(env);
  napi_add_async_cleanup_hook(env, OnCleanup, area, &area->cleanup);
  exports.Set("startProcess", Napi::Function::New(env, StartProcess, "startProcess", area));
  exports.Set("feedProcess", Napi::Function::New(env, FeedProcess, "feedProcess", area));
  exports.Set("killProcess", Napi::Function::New(env, KillProcess, "killProcess", area));
}

}  // namespace multus
