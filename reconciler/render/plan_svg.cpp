#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

// Pixels; of the text what the widest letters of a sans-serif font take.
constexpr unsigned margin = 16;
constexpr unsigned box_width = 280;
constexpr unsigned line_height = 18;
constexpr unsigned box_padding = 10;
constexpr unsigned gap_across = 24;
constexpr unsigned gap_down = 44;
constexpr std::size_t letters_in_line = 36;

std::string xml_text(std::string_view text) {
  std::string safe;
  for (const char c : escape_for_terminal(text)) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else
      safe += c;
  }
  return safe;
}

/// Broken between words; a word that is longer than a line is one line.
std::vector<std::string> wrapped(const std::string& text) {
  std::vector<std::string> rows;
  for (const auto word : words(text)) {
    if (rows.empty() || rows.back().size() + 1 + word.size() > letters_in_line)
      rows.emplace_back(word);
    else
      rows.back().append(" ").append(word);
  }
  return rows;
}

struct Box {
  unsigned left = 0;
  unsigned top = 0;
  unsigned height = 0;
  std::vector<std::string> rows;
};

/// Draws the phases from top to bottom. A step stands below all that it comes after.
class PlanSvg {
 public:
  explicit PlanSvg(const Plan& plan) : plan_(plan), boxes_(plan.steps.size()), levels_(plan.steps.size()) {}

  [[nodiscard]] std::string draw() {
    text(margin, bottom_ + line_height, fmt::format("{}: {}", plan_.document, summary_text(plan_)));
    bottom_ += line_height + margin;
    for (std::size_t i = 0; i < plan_.phases.size(); ++i) phase(i);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) arrows_to(i);
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n"
        "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
        "markerHeight=\"8\" "
        "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
        width_ + margin, bottom_ + margin, body_);
  }

 private:
  void text(unsigned left, unsigned base, std::string_view content) {
    body_ += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", left, base, xml_text(content));
  }

  void rectangle(unsigned left, unsigned top, unsigned width, unsigned height, std::string_view style) {
    body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>\n", left, top, width,
                         height, style);
  }

  /// Steps of a phase by how many others must be done before, one after another.
  [[nodiscard]] std::vector<std::vector<std::size_t>> rows_of(const Phase& phase) {
    std::vector<std::vector<std::size_t>> rows;
    for (const auto step : phase.steps) {
      std::size_t level = 0;
      for (const auto before : plan_.steps[step].after)
        if (plan_.steps[before].phase == plan_.steps[step].phase)
          level = std::max(level, levels_[before] + 1);
      levels_[step] = level;
      rows.resize(std::max(rows.size(), level + 1));
      rows[level].push_back(step);
    }
    return rows;
  }

  void phase(std::size_t number) {
    const auto rows = rows_of(plan_.phases[number]);
    std::size_t most = 1;
    for (const auto& row : rows) most = std::max(most, row.size());
    const auto inside = static_cast<unsigned>(most) * (box_width + gap_across) - gap_across;
    const auto top = bottom_;
    text(2 * margin, top + line_height, fmt::format("phase {}", number + 1));
    bottom_ += line_height + margin;
    for (const auto& row : rows) row_of_boxes(row);
    bottom_ -= rows.empty() ? 0 : gap_down - margin;
    rectangle(margin, top, inside + 2 * margin, bottom_ - top, "fill=\"none\" stroke=\"grey\"");
    width_ = std::max(width_, inside + 3 * margin);
    bottom_ += margin;
    if (plan_.phases[number].reboot_after) barrier(inside + 2 * margin);
  }

  void row_of_boxes(const std::vector<std::size_t>& steps) {
    unsigned tallest = 0;
    unsigned left = 2 * margin;
    for (const auto step : steps) {
      auto& box = boxes_[step];
      box = {left, bottom_, 0, wrapped(label_of(step))};
      box.height = static_cast<unsigned>(box.rows.size()) * line_height + 2 * box_padding;
      draw_box(step, box);
      tallest = std::max(tallest, box.height);
      left += box_width + gap_across;
    }
    bottom_ += tallest + gap_down;
  }

  [[nodiscard]] std::string label_of(std::size_t index) const {
    const auto& step = plan_.steps[index].step;
    const auto disruption =
        step.disruption == Disruption::none ? "" : fmt::format(" [{}]", to_string(step.disruption));
    return fmt::format("{}. {}{}", index + 1, step.title, disruption);
  }

  void draw_box(std::size_t index, const Box& box) {
    const auto& step = plan_.steps[index].step;
    rectangle(box.left, box.top, box_width, box.height,
              fmt::format("fill=\"white\" stroke=\"{}\"{}", step.blocked_by.empty() ? "black" : "red",
                          step.provisional ? " stroke-dasharray=\"5 3\"" : ""));
    auto base = box.top + box_padding + line_height - 5;
    for (const auto& row : box.rows) {
      text(box.left + box_padding, base, row);
      base += line_height;
    }
  }

  void barrier(unsigned width) {
    rectangle(margin, bottom_, width, line_height + box_padding, "fill=\"gold\" stroke=\"black\"");
    text(2 * margin, bottom_ + line_height, "reboot");
    bottom_ += line_height + box_padding + margin;
  }

  /// Only from the steps that no other of them comes after.
  void arrows_to(std::size_t index) {
    const auto& after = plan_.steps[index].after;
    for (const auto before : after) {
      const bool implied = std::ranges::any_of(after, [&](std::size_t other) {
        return std::ranges::find(plan_.steps[other].after, before) != plan_.steps[other].after.end();
      });
      if (!implied && plan_.steps[before].phase == plan_.steps[index].phase)
        arrow(boxes_[before], boxes_[index]);
    }
  }

  void arrow(const Box& from, const Box& to) {
    const auto middle = box_width / 2;
    const auto start = from.top + from.height;
    body_ += fmt::format(
        "<path d=\"M{0} {1}C{0} {2} {3} {4} {3} {5}\" fill=\"none\" stroke=\"black\" "
        "marker-end=\"url(#head)\"/>\n",
        from.left + middle, start, start + gap_down / 2, to.left + middle, to.top - gap_down / 2, to.top);
  }

  const Plan& plan_;
  std::vector<Box> boxes_;           // of the steps
  std::vector<std::size_t> levels_;  // of the steps: rows within their phase
  unsigned width_ = 3 * box_width;   // enough for the heading
  unsigned bottom_ = margin;
  std::string body_;
};

}  // namespace

std::string plan_svg(const Plan& plan) {
  return PlanSvg(plan).draw();
}

}  // namespace gpuhost
