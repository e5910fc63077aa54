#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/ownership.hpp"
#include "engine/step.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// What a step was about to do, written down before it did anything. Values only, so that another process can
/// undo it.
struct StepRecord {
  enum class State {
    intended,  ///< begun; how it ended is not on record
    done,
    failed,
    undone,
  };
  StepAction action;
  std::string title;
  std::vector<std::string> lanes;
  bool derived = false;
  std::vector<std::size_t> after;  ///< records of the steps it rests on
  std::optional<Undo> undo;        ///< nothing: nothing can undo it
  /// What ownership said before of the object that the step claims or gives back.
  struct Owned {
    std::string address;
    std::optional<Ownership::Object> before;
    bool operator==(const Owned&) const = default;
  };
  std::optional<Owned> owned;
  State state = State::intended;
  bool operator==(const StepRecord&) const = default;
};

/// What ends a bracket: to be run whatever happens, once its opening step has begun.
struct Obligation {
  StepAction action;
  std::string title;
  bool discharged = false;
  bool operator==(const Obligation&) const = default;
};

/// The records of one run since the last reboot: on disk before each step and after it. A run that ends takes
/// its journal away; one that is found was interrupted, or waits for `confirm`.
class Journal {
 public:
  static constexpr const char* path = "/var/lib/gpuhost/journal.jsonl";

  struct Header {
    std::string document;
    std::string document_sha256;            ///< empty in what an older gpuhost wrote
    std::string boot_id;                    ///< of the boot in which it was begun
    std::string started;                    ///< RFC 3339 UTC
    Disruption allowed = Disruption::none;  ///< the most that the approved plan showed
    bool rollback = true;                   ///< false: undoing was declined
    bool trial = false;                     ///< somebody was told to undo it unless it is confirmed
    bool operator==(const Header&) const = default;
  };

  explicit Journal(Header header) : header_(std::move(header)) {}

  /// The journal of an earlier run, if it left one. A last record that a crash has torn counts as not
  /// written: its step had not begun, or how it ended is not known. stale: written by a newer gpuhost.
  [[nodiscard]] static Result<std::optional<Journal>> load(const FileReader& files);

  /// The step may begin when this has returned without an error; its record.
  Result<std::size_t> begin(StepRecord record, std::optional<Obligation> obligation, FileWriter& files);
  Result<void> end(std::size_t record, StepRecord::State state, FileWriter& files);
  Result<void> discharge(std::size_t obligation, FileWriter& files);
  /// Its step was undone, and what it ended was not: it is owed again. What is on disk says so already.
  void owe_again(std::size_t obligation) { obligations_.at(obligation).discharged = false; }
  /// What was done may be kept or undone until then, in time since boot: see `confirm`.
  Result<void> await_confirmation(std::chrono::seconds until, FileWriter& files);
  /// The run is over: nothing is to be undone any more.
  Result<void> close(FileWriter& files);

  [[nodiscard]] const Header& header() const { return header_; }
  [[nodiscard]] const std::vector<StepRecord>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<Obligation>& obligations() const { return obligations_; }
  [[nodiscard]] bool awaits_confirmation() const { return confirm_until_.has_value(); }
  /// How long it may still be confirmed; zero: no more, since the time is over or the host was booted.
  /// Nothing: it does not wait to be confirmed.
  [[nodiscard]] std::optional<std::chrono::seconds> time_to_confirm(const HostView& host) const;

 private:
  Result<void> write(const Json& record, FileWriter& files);
  void take(const Json& record);

  Header header_;
  std::vector<StepRecord> steps_;
  std::vector<Obligation> obligations_;
  std::optional<std::chrono::seconds> confirm_until_;  ///< since boot
  bool on_disk_ = false;
  bool torn_ = false;  ///< the file's last line has no end
};

}  // namespace gpuhost
