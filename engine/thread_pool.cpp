#include "engine/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace lookalike {

ThreadPool::ThreadPool(int threads) {
  try {
    for (int t = 1; t < threads; ++t) helpers_.emplace_back([this, t] { help(t); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::for_each(int64_t count, const Task& task) {
  if (count <= 0) return;
  if (count == 1) {
    task(0, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    count_ = count;
    next_ = 0;
    failure_ = nullptr;
    working_ = static_cast<int>(helpers_.size());
    ++round_;
  }
  start_.notify_all();
  work(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return working_ == 0; });
  task_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::help(int thread) {
  int64_t seen = 0;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
    }
    work(thread);
    {
      const std::lock_guard lock(mutex_);
      --working_;
    }
    done_.notify_one();
  }
}

void ThreadPool::work(int thread) {
  try {
    for (int64_t i = next_++; i < count_; i = next_++) (*task_)(i, thread);
  } catch (...) {
    next_ = count_;
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace lookalike
