// A few threads that stay: work over an index, shared out one index at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lookalike {

class ThreadPool {
 public:
  // index, and which of the threads runs it (0 to threads - 1): one at a time for each.
  using Task = std::function<void(int64_t index, int thread)>;

  // threads >= 1; the caller of for_each is one of them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  // Runs task(0) to task(count - 1) in any order and waits for all. After a task has thrown no further index
  // is started, and the first exception is thrown here. Not for several callers at once.
  void for_each(int64_t count, const Task& task);

 private:
  void help(int thread);
  void work(int thread);
  void stop();

  std::vector<std::thread> helpers_;
  std::mutex mutex_;  // of all below but next_
  std::condition_variable start_;
  std::condition_variable done_;
  const Task* task_ = nullptr;
  int64_t count_ = 0;
  int64_t round_ = 0;
  int working_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::atomic<int64_t> next_{0};
};

// Cores that this process may use, at least 1.
int usable_cores();

}  // namespace lookalike
