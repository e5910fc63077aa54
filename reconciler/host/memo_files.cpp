#include "host/memo_files.hpp"

namespace gpuhost {

namespace {

template <class T, class Ask>
Result<T> once(std::mutex& mutex, std::map<std::string, Result<T>>& memo, const std::string& path, Ask ask) {
  const std::lock_guard lock(mutex);
  if (const auto known = memo.find(path); known != memo.end()) return known->second;
  return memo.emplace(path, ask(path)).first->second;
}

}  // namespace

Result<std::string> MemoFiles::read(const std::string& path) const {
  return once(mutex_, reads_, path, [this](const auto& p) { return files_.read(p); });
}

Result<std::vector<std::string>> MemoFiles::list(const std::string& path) const {
  return once(mutex_, lists_, path, [this](const auto& p) { return files_.list(p); });
}

Result<std::string> MemoFiles::link_target(const std::string& path) const {
  return once(mutex_, links_, path, [this](const auto& p) { return files_.link_target(p); });
}

Result<FileStatus> MemoFiles::status(const std::string& path) const {
  return once(mutex_, statuses_, path, [this](const auto& p) { return files_.status(p); });
}

Result<std::string> MemoFiles::digest(const std::string& path) const {
  return once(mutex_, digests_, path, [this](const auto& p) { return files_.digest(p); });
}

}  // namespace gpuhost
