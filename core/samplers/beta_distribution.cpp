#include "samplers/beta_distribution.h"

#include <cmath>

namespace kandinsky::samplers {
namespace {

/// The integral of (u (1 - u))^(shape - 1) from 0 to x, by the binomial series. x: up to a half,
/// where 60 terms are more than double precision has.
double incomplete_beta(double x, double shape) {
  constexpr int kTerms = 60;
  double sum = 0.0;
  double coefficient = 1.0;
  for (int k = 0; k < kTerms; ++k) {
    sum += coefficient / (shape + k);
    coefficient *= x * (k + 1.0 - shape) / (k + 1.0);
  }
  return sum * std::pow(x, shape);
}

}  // namespace

double symmetric_beta_quantile(double probability, double shape) {
  if (probability > 0.5) return 1.0 - symmetric_beta_quantile(1.0 - probability, shape);
  if (!(probability > 0.0)) return 0.0;
  const double gamma = std::tgamma(shape);
  const double area = probability * gamma * gamma / std::tgamma(2.0 * shape);
  // Between halves of halves, since small quantiles must be as exact as large ones.
  double low = -1000.0;
  double high = -1.0;
  for (int i = 0; i < 70; ++i) {
    const double middle = (low + high) / 2.0;
    (incomplete_beta(std::exp2(middle), shape) < area ? low : high) = middle;
  }
  return std::exp2((low + high) / 2.0);
}

}  // namespace kandinsky::samplers
