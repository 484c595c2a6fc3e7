// A few threads that split one piece of work at a time: fork, join, then sleep until the next.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace sida {

// One caller at a time: run() may be called from any thread, but not from two at once nor from within a task.
// Threads sleep on a condition variable between runs; nothing spins.
class ForkJoin {
 public:
  // `threads` >= 1 counts the caller, which works too: 1 starts none.
  explicit ForkJoin(int threads);
  ~ForkJoin();
  ForkJoin(const ForkJoin&) = delete;
  ForkJoin& operator=(const ForkJoin&) = delete;

  [[nodiscard]] int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(index, thread) once for each index in [0, count), thread in [0, threads()), and returns when all have
  // ended. Which thread takes which index is not fixed. The task must not throw.
  template <typename Task>
  void run(std::int64_t count, const Task& task) {
    run_call(count, {[](const void* context, std::int64_t index, int thread) {
                       (*static_cast<const Task*>(context))(index, thread);
                     },
                     &task});
  }

 private:
  struct Call {
    void (*function)(const void* context, std::int64_t index, int thread) = nullptr;
    const void* context = nullptr;
  };

  void run_call(std::int64_t count, Call call);
  void work(int thread);
  void take_tasks(std::unique_lock<std::mutex>& lock, int thread);

  std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::condition_variable work_ended_;
  Call call_;
  std::int64_t next_ = 0;     // First index that nobody has taken.
  std::int64_t count_ = 0;    // Indices of this run.
  std::int64_t running_ = 0;  // Indices taken and not ended.
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace sida
