#include "common/runtime/fork_join.h"

namespace sida {

ForkJoin::ForkJoin(int threads) {
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { work(thread); });
  }
}

ForkJoin::~ForkJoin() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_arrived_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ForkJoin::run_call(std::int64_t count, Call call) {
  if (workers_.empty() || count <= 1) {
    for (std::int64_t index = 0; index < count; ++index) call.function(call.context, index, 0);
    return;
  }
  std::unique_lock lock(mutex_);
  call_ = call;
  next_ = 0;
  count_ = count;
  work_arrived_.notify_all();
  take_tasks(lock, 0);
  work_ended_.wait(lock, [this] { return running_ == 0; });
}

// Tasks are few and long (tens of microseconds), so that the lock costs nothing that matters.
void ForkJoin::take_tasks(std::unique_lock<std::mutex>& lock, int thread) {
  while (next_ < count_) {
    const std::int64_t index = next_++;
    const Call call = call_;
    ++running_;
    lock.unlock();
    call.function(call.context, index, thread);
    lock.lock();
    --running_;
  }
}

void ForkJoin::work(int thread) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_arrived_.wait(lock, [this] { return stopping_ || next_ < count_; });
    if (stopping_) return;
    take_tasks(lock, thread);
    if (running_ == 0) work_ended_.notify_one();
  }
}

}  // namespace sida
