#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

namespace {

constexpr const char* bash_completion = R"bash(# bash completion for gpuhost
_gpuhost() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local verbs="validate observe export plan apply confirm verify release recover status import fleet catalog schema completion"
  case $previous in
    -f | --file | --host | --host-out | --record | --out)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --root)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    -o | --output)
      local formats="text json"
      [[ ${COMP_WORDS[1]} == plan ]] && formats="text json markdown dot svg"
      mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$current")
      return
      ;;
    --allow)
      mapfile -t COMPREPLY < <(compgen -W "none remove-idle stop-units hot-unplug stop-guests reset-gpu reload-driver reboot" -- "$current")
      return
      ;;
    --missing)
      mapfile -t COMPREPLY < <(compgen -W "refuse skip" -- "$current")
      return
      ;;
  esac
  local words=$verbs
  if ((COMP_CWORD > 1)); then
    case ${COMP_WORDS[1]} in
      validate) words="--file --output" ;;
      observe) words="--host --root --output --record" ;;
      export) words="--host --root" ;;
      plan) words="--file --host --root --output --out --detailed-exitcode --missing" ;;
      apply) words="--file --host --host-out --root --output --yes --reboot --allow --missing --no-rollback" ;;
      verify) words="--file --host --root --output --missing" ;;
      status) words="--host --root --output --detailed-exitcode" ;;
      release) words="--document --host --host-out --root --output --yes --reboot --allow --no-rollback" ;;
      recover) words="--host --host-out --root --output" ;;
      confirm) words="--host --host-out --root --output" ;;
      import) words="mig-parted vgpu-device-manager mdevctl driverctl nova --configuration --host --root" ;;
      fleet) words="plan --output --detailed-exitcode --missing" ;;
      catalog) words="releases vgpu-types mig-profiles --gpu --output" ;;
      schema) words="document plan saved-plan host local" ;;
      completion) words="bash" ;;
      *) words="" ;;
    esac
    words+=" --no-color --verbose --help"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _gpuhost gpuhost
)bash";

}  // namespace

ExitCode run_completion(const Options& options) {
  if (options.argument != "bash")
    return report(
        {ErrorKind::unsupported, "no completions for shell '" + options.argument + "'", "there is bash"},
        ExitCode::usage);
  print(bash_completion);
  return ExitCode::done;
}

}  // namespace gpuhost
