// Work on libuv's thread pool that settles a promise. Only for kernel calls of well under a
// millisecond: the pool has four threads.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "addon/errors.h"
#include "core/result.h"

namespace multus {

/// Runs `work` on the pool and settles the promise on the JavaScript thread: by `convert` of its
/// value, or by its error. No JavaScript object is touched by `work`; it owns plain copies of its
/// arguments.
template <typename T>
class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result<T>()>;
  using Convert = std::function<Napi::Value(Napi::Env, const T&)>;

  /// The promise that JavaScript gets; nothing, and no work, in a worker that is being terminated.
  static Napi::Value Start(Napi::Env env, Work work, Convert convert) {
    // Not Napi::Promise::Deferred: it would hand out an uninitialised promise there.
    napi_deferred deferred = nullptr;
    napi_value promise = nullptr;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) return {};
    auto task = std::unique_ptr<Task>(new Task(env, deferred, std::move(work), std::move(convert)));
    task->Queue();
    (void)task.release();  // AsyncWorker deletes itself when it is done.
    return {env, promise};
  }

 protected:
  void Execute() override { result_.emplace(work_()); }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    // These fail only when the environment has ended, and with it whoever waits.
    if (result_->ok()) {
      (void)napi_resolve_deferred(env, deferred_, convert_(env, result_->value()));
    } else {
      (void)napi_reject_deferred(env, deferred_, MakeError(env, result_->error()).Value());
    }
  }

  void OnError(const Napi::Error& error) override {
    (void)napi_reject_deferred(Env(), deferred_, error.Value());
  }

 private:
  Task(Napi::Env env, napi_deferred deferred, Work work, Convert convert)
      : Napi::AsyncWorker(env, "multus"),
        deferred_(deferred),
        work_(std::move(work)),
        convert_(std::move(convert)) {}

  napi_deferred deferred_;
  Work work_;
  Convert convert_;
  std::optional<Result<T>> result_;
};

}  // namespace multus
