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

  /// The promise that JavaScript gets.
  static Napi::Value Start(Napi::Env env, Work work, Convert convert) {
    auto task = std::unique_ptr<Task>(new Task(env, std::move(work), std::move(convert)));
    const Napi::Promise promise = task->deferred_.Promise();
    task->Queue();
    (void)task.release();  // AsyncWorker deletes itself when it is done.
    return promise;
  }

 protected:
  void Execute() override { result_.emplace(work_()); }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    if (result_->ok()) {
      deferred_.Resolve(convert_(env, result_->value()));
    } else {
      deferred_.Reject(MakeError(env, result_->error()).Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Task(Napi::Env env, Work work, Convert convert)
      : Napi::AsyncWorker(env, "multus"),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        convert_(std::move(convert)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Convert convert_;
  std::optional<Result<T>> result_;
};

}  // namespace multus
