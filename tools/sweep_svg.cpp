// The picture of `braid sweep --plot`: plain SVG, no script, no font but the reader's.
#include "tools/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace braid {
namespace {

constexpr double kWidth = 760, kLeft = 76, kRight = 20, kPanel = 220, kTop = 44, kGap = 70;
// Told apart by people who see colours differently, too.
constexpr std::array<const char*, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#555555"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20)
      out += c;
  }
  return out;
}

// 1, 2 or 5 times a power of ten, about `count` of them up to the largest.
double tick_step(double largest, int count) {
  const double rough = largest / count, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

std::string number_text(double value) {
  return value >= 1000 && std::fmod(value, 1000) == 0 ? fmt::format("{:g}k", value / 1000)
                                                      : fmt::format("{:g}", value);
}

using Speed = double (SweepPoint::*)() const;

class Panel {
 public:
  Panel(const std::vector<SweepRun>& runs, Speed speed, double top) : speed_(speed), top_(top) {
    for (const SweepRun& run : runs)
      for (const SweepPoint& p : run.points) {
        deepest_ = std::max(deepest_, static_cast<double>(p.n_kv));
        fastest_ = std::max(fastest_, (p.*speed)());
      }
    fastest_ *= 1.08;
  }

  std::string frame(const char* title, bool name_depth) const {
    std::string out = fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", kLeft,
                                  top_ - 12, title);
    for (double v = 0, step = tick_step(fastest_, 5); v <= fastest_; v += step)
      out += line(kLeft, y(v), kWidth - kRight, y(v)) +
             text(kLeft - 8, y(v) + 4, "end", number_text(v));
    for (double v = 0, step = tick_step(deepest_, 8); v <= deepest_; v += step)
      out += line(x(v), top_, x(v), top_ + kPanel) +
             text(x(v), top_ + kPanel + 18, "middle", number_text(v));
    if (name_depth)
      out += text((kLeft + kWidth - kRight) / 2, top_ + kPanel + 38, "middle", "tokens before");
    return out;
  }

  std::string curve(const SweepRun& run, const char* colour) const {
    std::string points, dots;
    for (const SweepPoint& p : run.points) {
      const double speed = (p.*speed_)();
      if (speed <= 0) continue;
      const double at = x(static_cast<double>(p.n_kv));
      points += fmt::format("{:.1f},{:.1f} ", at, y(speed));
      dots += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {:.2f} t/s at "
          "{}</title></circle>\n",
          at, y(speed), colour, escaped(run.name), speed, p.n_kv);
    }
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                       points, colour) +
           dots;
  }

 private:
  double x(double depth) const { return kLeft + (kWidth - kLeft - kRight) * depth / deepest_; }
  double y(double speed) const { return top_ + kPanel * (1 - speed / fastest_); }

  static std::string line(double x1, double y1, double x2, double y2) {
    return fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x1, y1,
        x2, y2);
  }
  static std::string text(double x, double y, const char* anchor, const std::string& what) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                       anchor, what);
  }

  Speed speed_;
  double top_;
  double deepest_ = 1, fastest_ = 1e-9;
};

}  // namespace

std::string sweep_svg(const std::vector<SweepRun>& runs) {
  const Panel prompt(runs, &SweepPoint::speed_pp, kTop),
      generate(runs, &SweepPoint::speed_tg, kTop + kPanel + kGap);
  const double legend = kTop + 2 * kPanel + kGap + 64;
  const double height = legend + 20 * static_cast<double>(runs.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" font-size=\"13\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, height);
  out += prompt.frame("Reading prompts, tokens per second", false);
  out += generate.frame("Generating, tokens per second", true);
  for (size_t i = 0; i < runs.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    out += prompt.curve(runs[i], colour) + generate.curve(runs[i], colour);
    const double y = legend + 20 * static_cast<double>(i);
    out += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"24\" height=\"4\" fill=\"{}\"/>\n<text x=\"{}\" "
        "y=\"{}\">{}</text>\n",
        kLeft, y - 6, colour, kLeft + 32, y, escaped(runs[i].name));
  }
  return out + "</svg>\n";
}

}  // namespace braid
